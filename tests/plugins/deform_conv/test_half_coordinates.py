"""The emulation is the equation where nothing is rounded, and shows what half coordinates cost where they do."""

import numpy as np
import pytest

from plugins.deform_conv.half_coordinates import (
    BUILT_IN,
    EXACT,
    HALF_COORDINATES,
    HALF_DATA,
    HALF_SUMS,
    OURS,
    Arithmetic,
    emulated,
)
from plugins.deform_conv.problem import Problem
from tests.plugins.deform_conv.cases import Case, make_case

FLOAT64_ATOL = 1e-12
WIDTH = 1300  # half counts whole pixels from column 1024 on


def smooth_case(channels: int, kernel: int, height: int, width: int) -> Case:
    """Return a case whose picture is as smooth as pictures are: a displaced sample is near its neighbors."""
    case = make_case(channels, kernel, height, width)
    y, x = np.mgrid[:height, :width]
    case.tensors["x"][0] = [0.5 + 0.4 * np.sin(x / (4 + c)) * np.cos(y / 5) for c in range(channels)]
    return case


def emulate(types: Arithmetic, case: Case) -> np.ndarray:
    t = {name: tensor if name in ("weight", "bias") else tensor[0] for name, tensor in case.tensors.items()}
    c_out, channels, *kernel = t["weight"].shape
    problem = Problem(channels, c_out, tuple(kernel), **case.attributes, mask="values")
    return emulated(types, problem, t["x"], t["weight"], t["offset"], t["bias"], t["mask"])


def error_of(types: Arithmetic, case: Case, columns: slice = slice(None)) -> float:
    difference = emulate(types, case).astype(np.float64) - case.reference()[0]
    return float(np.sqrt(np.mean(difference[..., columns] ** 2)))


@pytest.mark.parametrize(
    "case",
    [
        make_case(3, 3, 7, 12),
        make_case(3, 5, 9, 8),
        make_case(4, 3, 9, 8, offset_group=2),
        make_case(3, 3, 9, 8, stride=2, dilation=2),
        make_case(3, 1, 120, 700),  # more than one strip
    ],
    ids=["3x3", "5x5", "shared offsets", "stride and dilation", "strips"],
)
def test_in_double_it_is_the_equation(case):
    np.testing.assert_allclose(emulate(EXACT, case), case.reference()[0], atol=FLOAT64_ATOL, rtol=0)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_ours_loses_next_to_nothing_beside_half_tensors(kernel):
    case = smooth_case(3, kernel, 8, WIDTH)
    # columns are half once more: two roundings of the same size where there was one, and sums of many
    assert error_of(OURS, case) < 1.5 * error_of(HALF_DATA, case)


def test_half_coordinates_are_what_the_built_in_one_loses_by():
    case = smooth_case(3, 3, 8, WIDTH)
    ours, coordinates, sums, built_in = (
        error_of(types, case) for types in (OURS, HALF_COORDINATES, HALF_SUMS, BUILT_IN)
    )
    assert coordinates > 10 * ours
    assert sums < 3 * ours
    assert built_in == pytest.approx(coordinates, rel=0.2)


def test_half_coordinates_get_worse_from_column_to_column_and_ours_do_not():
    case = smooth_case(3, 3, 8, WIDTH)
    left, right = slice(0, 256), slice(1024, None)
    assert error_of(BUILT_IN, case, right) > 3 * error_of(BUILT_IN, case, left)
    assert error_of(OURS, case, right) < 1.2 * error_of(OURS, case, left)


def test_results_are_half_where_tensors_are():
    case = make_case(2, 1, 4, 5)
    assert {emulate(types, case).dtype for types in (OURS, BUILT_IN, HALF_DATA)} == {np.dtype(np.float16)}
