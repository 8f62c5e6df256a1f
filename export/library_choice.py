"""Which of the two libraries builds an engine."""

import importlib.util
from collections.abc import Callable

from cvqe.errors import BackendError

MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}


def choose_library(asked: str, has_gpu: bool, is_installed: Callable[[str], bool]) -> str:
    """Turn `auto` into a library: tensorrt where it and a GPU are, else tensorrt-rtx, which builds without.

    Raises:
        BackendError: neither is installed.
    """
    if asked != "auto":
        return asked
    if has_gpu and is_installed("tensorrt"):
        return "tensorrt"
    if is_installed("tensorrt-rtx"):
        return "tensorrt-rtx"
    if is_installed("tensorrt"):
        return "tensorrt"  # without a GPU: refused with its own sentence
    raise BackendError(
        "neither tensorrt nor tensorrt-rtx is installed, and engines are built by them.\n"
        "Install one:  pip install tensorrt-cu13  (on the GPU to run on)     pip install tensorrt-rtx-cu13  (anywhere)"
    )


def is_installed(library: str) -> bool:
    """Say whether a library's module can be found; it is not imported."""
    return importlib.util.find_spec(MODULES[library]) is not None
