"""The kernels in Triton's interpreter against the equation in float64."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("triton")
pytest.importorskip("torch")

from plugins.deform_conv.kernel_choice import choose_kernel
from plugins.deform_conv.problem import Problem
from plugins.deform_conv.reference import deform_conv
from tests.plugins.deform_conv.cases import Case, make_case
from tests.plugins.deform_conv.interpreted import DTYPES, run_kernel

# NumPy warns where the interpreter computes with NaN and infinity
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

# outputs stay below 8, where one step of half is 2**-7 and rounding costs half of it; samples are rounded to half too
# before the tensor cores take them, 75 errors of 2**-12 that add up at random under weights of 75**-0.5
FP16_ATOL = 2**-8 + 2**-9
# sums of up to 144 products near 0.1 in float32, and broken parts of displacements that are exact to 2**-24
FP32_ATOL = 4e-6


def problem_of(case: Case, dtype: str = "fp32", mask: str = "values", packed: bool = False) -> Problem:
    """Return what a case computes."""
    weight, x = case.tensors["weight"], case.tensors["x"]
    return Problem(
        x.shape[1], weight.shape[0], weight.shape[2:], mask=mask, packed=packed, dtype=dtype, **case.attributes
    )


def rounded(case: Case, dtype: str) -> Case:
    """Return the case with its tensors in a type."""
    return Case({name: array.astype(DTYPES[dtype]) for name, array in case.tensors.items()}, case.attributes)


def check(case: Case, dtype: str = "fp32", **options: Any) -> None:
    """Compare the kernel with the equation, both fed with tensors rounded to the type."""
    case = rounded(case, dtype)
    y = run_kernel(problem_of(case, dtype), **case.tensors, **options)
    atol = FP32_ATOL if dtype == "fp32" else FP16_ATOL
    np.testing.assert_allclose(y.astype(np.float64), case.reference(), atol=atol, rtol=0)


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_three_frames_become_features_at_an_odd_and_wide_size(kernel, dtype):
    check(make_case(3, kernel, 3, 1301, c_out=9), dtype)


def test_each_of_many_channels_has_offsets_of_its_own():
    check(make_case(32, 1, 2, 1301, c_out=32), "fp16")


@pytest.mark.parametrize("mask", ["none", "values", "logits"])
def test_planes_are_warped_without_a_dot(mask):
    case = make_case(2, 1, 3, 1301, n=2, c_out=2, offset_px=20.0)
    case.tensors["weight"], case.tensors["bias"] = np.eye(2, dtype=np.float32)[..., None, None], np.zeros(2, np.float32)
    problem = problem_of(case, mask=mask)
    assert choose_kernel(problem, 80).name == "deform_planes"
    tensors = case.tensors | {"mask": None if mask == "none" else case.tensors["mask"]}
    y = run_kernel(problem, **tensors, block_pixels=2048)  # two blocks, the second one not full
    if mask == "logits":
        tensors["mask"] = 1 / (1 + np.exp(-tensors["mask"]))
    expected = deform_conv(**{n: t if t is None else t.astype(np.float64) for n, t in tensors.items()}, offset_group=2)
    np.testing.assert_allclose(y, expected, atol=FP32_ATOL, rtol=0)


def test_coordinates_in_half_would_be_seen():
    """A column above 1024 is known to a whole pixel in half, above 2048 to two: what the kernel must not do."""
    case = rounded(make_case(3, 1, 3, 1301, c_out=9), "fp16")
    expected = case.reference()
    column = np.arange(1301, dtype=np.float16)
    offset = case.tensors["offset"].copy()
    offset[:, 1::2] = (column + offset[:, 1::2]) - column  # NumPy rounds each of both to half
    with_half_columns = Case(case.tensors | {"offset": offset}, case.attributes).reference()
    assert np.abs(with_half_columns - expected).max() > 20 * FP16_ATOL


@pytest.mark.parametrize("packed", [False, True])
def test_logits_become_a_mask_in_the_kernel(packed):
    case = make_case(2, 3, 5, 41, c_out=12)
    logits = 8 * case.tensors["mask"] - 4
    logits[:, :2] = [[[[90.0]], [[-90.0]]]]  # 1 and 0 without overflow
    tensors = case.tensors | {"mask": logits}
    expected = Case(case.tensors | {"mask": 1 / (1 + np.exp(-logits.astype(np.float64)))}, case.attributes).reference()
    if packed:
        tensors["offset"] = np.concatenate([tensors["offset"], tensors.pop("mask")], 1)
    y = run_kernel(problem_of(case, mask="logits", packed=packed), **tensors)
    np.testing.assert_allclose(y, expected, atol=FP32_ATOL, rtol=0)


@pytest.mark.parametrize("far", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e9, -1e9, 2.0**31, 2.0**22, -(2.0**23), 1e6])
def test_taps_moved_out_of_the_picture_read_zero(far):
    case = make_case(2, 1, 2, 7, c_out=2)
    case.tensors["offset"][:, 1::2, :, 2:] = far
    y = run_kernel(problem_of(case), **case.tensors, block_pixels=16)
    np.testing.assert_allclose(y, case.reference(), atol=FP32_ATOL, rtol=0)
    np.testing.assert_array_equal(y[..., 2:], np.broadcast_to(case.tensors["bias"][:, None, None], (1, 2, 2, 5)))


@pytest.mark.parametrize("far", [np.nan, np.inf, -65504.0])
def test_the_same_in_half_before_a_dot(far):
    case = make_case(2, 3, 4, 9, c_out=5)
    case.tensors["offset"][:, ::3, 1:] = far
    check(case, "fp16", block_pixels=64)


def test_samples_fade_out_over_the_edge_as_in_the_equation():
    case = make_case(3, 3, 4, 9, c_out=5, offset_px=6.0)
    case.tensors["offset"] = np.round(case.tensors["offset"] * 2) / 2  # many on pixels and right between them
    check(case)


def test_pixels_that_are_not_finite_stay_where_they_are():
    """A mask of loads, not a product with 0, keeps neighbors apart."""
    case = make_case(3, 1, 4, 9, c_out=5, offset_px=0.0)
    case.tensors["x"][0, 0, 2, 4] = np.inf
    y = run_kernel(problem_of(case), **case.tensors)
    # its left and upper neighbors see it with the weight 0, in the equation as here
    np.testing.assert_array_equal(np.isfinite(y[0]).all(0), np.isfinite(case.reference()[0]).all(0))


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2, "dilation": 2, "n": 2},
        {"dilation": 3, "offset_group": 1},
        {"group": 2, "c_out": 6},
        {"group": 2, "offset_group": 1, "c_out": 48},
    ],
    ids=str,
)
def test_every_attribute_of_onnx(options):
    check(make_case(2, 3, 7, 11, **{"c_out": 24} | options))


@pytest.mark.parametrize("is_wide", [False, True])
def test_an_oblong_kernel_with_uneven_pads_in_several_blocks(is_wide):
    rng = np.random.default_rng(0)
    attributes = {"strides": (2, 1), "dilations": (1, 2), "pads": (1, 1, 0, 2), "group": 1, "offset_group": 2}
    tensors = {
        "x": rng.random((1, 2, 8, 7), np.float32),
        "weight": rng.random((17, 2, 3, 2), np.float32),
        "offset": rng.standard_normal((1, 2 * 6 * 2, 4, 8), np.float32),
        "bias": rng.random(17, np.float32),
    }
    case = Case(tensors, attributes)
    y = run_kernel(problem_of(case, mask="none"), **tensors, is_wide=is_wide, block_pixels=16)
    np.testing.assert_allclose(y, case.reference(), atol=FP32_ATOL, rtol=0)


@pytest.mark.parametrize(
    "channels, kernel, c_out",
    [(17, 1, 20), (1, 6, 20), (4, 1, 70)],  # a pass not full; taps that are not unrolled; two tiles of y
)
def test_sizes_that_no_pass_divides(channels, kernel, c_out):
    rng = np.random.default_rng(1)
    n_taps = kernel**2
    tensors = {
        "x": rng.random((1, channels, 9, 10), np.float32),
        "weight": rng.standard_normal((c_out, channels, kernel, kernel), np.float32) / 10,
        "offset": rng.standard_normal((1, 2 * channels * n_taps, 10 - kernel, 11 - kernel), np.float32),
        "bias": rng.random(c_out, np.float32),
        "mask": rng.random((1, channels * n_taps, 10 - kernel, 11 - kernel), np.float32),
    }
    check(Case(tensors, {"offset_group": channels}))
