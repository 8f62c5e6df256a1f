"""Which library builds."""

import pytest

from cvqe.errors import BackendError
from export.library_choice import choose_library


@pytest.mark.parametrize(
    "asked, has_gpu, installed, expected",
    [
        ("auto", True, {"tensorrt", "tensorrt-rtx"}, "tensorrt"),
        ("auto", False, {"tensorrt", "tensorrt-rtx"}, "tensorrt-rtx"),
        ("auto", True, {"tensorrt-rtx"}, "tensorrt-rtx"),
        ("auto", False, {"tensorrt"}, "tensorrt"),
        ("tensorrt", False, set(), "tensorrt"),
    ],
)
def test_auto_takes_what_can_build_here(asked, has_gpu, installed, expected):
    assert choose_library(asked, has_gpu, installed.__contains__) == expected


def test_with_neither_library_both_are_named():
    with pytest.raises(BackendError, match=r"pip install tensorrt-cu13.*pip install tensorrt-rtx-cu13"):
        choose_library("auto", True, set().__contains__)
