import threading

import numpy as np
import pytest

from cvqe.errors import ShapeError
from plugins.deform_conv import sampler, sampling_kernel
from plugins.deform_conv.reference import deform_conv
from plugins.deform_conv.sampler import Geometry, MaskKind, Sampler
from tests.plugins.deform_conv.arrays import bfloat16_bits, channels_last, from_bfloat16_bits
from tests.plugins.deform_conv.cases import make_case

# samples are below 1; three interpolations and a product, each rounded to half of 6e-8
ATOL = 5e-7
SIGMOID_ATOL = 1e-6  # the same, and a power of two good to 2e-7
BF16_ATOL = 2**-9 + ATOL  # half a bfloat16 step at 1, where samples end
WIDE = 4096  # a float32 coordinate there moves in steps of 2.4e-4 to 4.9e-4 px


def expected_samples(case, dtype=np.float64):
    """Return x sampled and masked, [N, H, W, C*K]: the equation with weights that keep every tap apart."""
    tensors = {name: case.tensors[name].astype(dtype) for name in ("x", "offset", "mask")}
    n_samples = case.tensors["mask"].shape[1]
    weight = np.eye(n_samples, dtype=dtype).reshape(n_samples, -1, *case.tensors["weight"].shape[2:])
    return np.moveaxis(deform_conv(weight=weight, **tensors, **case.attributes), 1, 3)


def geometry(case):
    attributes = case.attributes
    kernel = case.tensors["weight"].shape[2:]
    return Geometry(kernel, attributes["strides"], attributes["dilations"], attributes["pads"])


def sample(case, n_threads=2, mask_kind=MaskKind.FACTORS, convert=lambda tensor: tensor):
    x, offset, mask = (convert(channels_last(case.tensors[name])) for name in ("x", "offset", "mask"))
    samples = np.full(mask.shape, -1).astype(mask.dtype) if mask.dtype == np.uint16 else np.full_like(mask, np.nan)
    Sampler(n_threads)(x, offset, mask, samples, geometry(case), mask_kind)
    return samples


@pytest.mark.parametrize("channels, kernel", [(3, 1), (3, 3), (3, 5), (64, 1), (7, 3), (16, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize("height, width", [(17, 31), (1, 1), (2, 1), (1, 9)])
def test_equals_the_reference_at_odd_sizes(channels, kernel, height, width):
    case = make_case(channels, kernel, height, width, n=2)
    np.testing.assert_allclose(sample(case), expected_samples(case), atol=ATOL, rtol=0)


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 2}, {"stride": 3, "dilation": 2}], ids=str)
def test_strides_and_dilations(options):
    case = make_case(3, 3, 14, 19, **options)
    np.testing.assert_allclose(sample(case), expected_samples(case), atol=ATOL, rtol=0)


def test_coordinates_are_exact_in_a_wide_picture():
    case = make_case(2, 3, 3, WIDE)
    np.testing.assert_allclose(sample(case), expected_samples(case), atol=ATOL, rtol=0)
    # the bound means something: coordinates summed in float32 break it
    assert np.abs(expected_samples(case, np.float32) - expected_samples(case)).max() > 100 * ATOL


@pytest.mark.parametrize("far", [np.nan, np.inf, -np.inf, 3e38, -3e38, 2.0**31, -1e6])
def test_taps_moved_out_of_the_picture_read_zero(far):
    case = make_case(3, 3, 6, 7)
    case.tensors["offset"][:, ::2] = far
    np.testing.assert_array_equal(sample(case), 0)


def test_one_bad_offset_spoils_nothing_else():
    case = make_case(3, 3, 6, 7)
    good = sample(case)
    case.tensors["offset"][0, 5, 2, 3] = np.nan  # dx of channel 0, tap 2
    bad = sample(case)
    assert bad[0, 2, 3, 2] == 0
    bad[0, 2, 3, 2] = good[0, 2, 3, 2]
    np.testing.assert_array_equal(bad, good)


def test_offsets_that_cross_the_edge_fade_to_zero():
    case = make_case(4, 3, 9, 8, offset_px=6.0)
    np.testing.assert_allclose(sample(case), expected_samples(case), atol=ATOL, rtol=0)


def test_logits_are_sigmoids_of_the_mask():
    case = make_case(3, 3, 12, 13)
    rng = np.random.default_rng(1)
    logits = 8 * rng.standard_normal(case.tensors["mask"].shape, np.float32)
    logits.flat[:4] = [-200, 200, 0, -np.inf]
    case.tensors["mask"] = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = expected_samples(case)
    case.tensors["mask"] = logits
    np.testing.assert_allclose(sample(case, mask_kind=MaskKind.LOGITS), expected, atol=SIGMOID_ATOL, rtol=0)


def test_without_a_mask_every_tap_counts():
    case = make_case(3, 3, 12, 13)
    x, offset = (channels_last(case.tensors[name]) for name in ("x", "offset"))
    samples = np.full((1, 12, 13, 27), np.nan, np.float32)
    Sampler(1)(x, offset, None, samples, geometry(case), MaskKind.NONE)
    case.tensors["mask"][:] = 1
    np.testing.assert_allclose(samples, expected_samples(case), atol=ATOL, rtol=0)


@pytest.mark.parametrize("channels, kernel", [(64, 1), (2, 3), (6, 5)])
def test_bfloat16_only_rounds_what_it_stores(channels, kernel):
    case = make_case(channels, kernel, 9, WIDE // 8)
    for tensor in (case.tensors[name] for name in ("x", "offset", "mask")):
        tensor[:] = from_bfloat16_bits(bfloat16_bits(tensor))
    samples = from_bfloat16_bits(sample(case, convert=bfloat16_bits))
    np.testing.assert_allclose(samples, expected_samples(case), atol=BF16_ATOL, rtol=0)


def test_offset_and_mask_may_be_ranges_of_one_array():
    case = make_case(3, 3, 12, 13)
    x = channels_last(case.tensors["x"])
    both = channels_last(np.concatenate([case.tensors["mask"], case.tensors["offset"]], 1))
    samples = np.full((1, 12, 13, 27), np.nan, np.float32)
    Sampler(2)(x, both, both, samples, geometry(case), offset_start=27)
    np.testing.assert_array_equal(samples, sample(case))


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_the_number_of_threads_changes_nothing(n_threads):
    case = make_case(4, 3, 5, 40)
    np.testing.assert_array_equal(sample(case, n_threads), sample(case, 1))


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("convert", [lambda tensor: tensor, bfloat16_bits], ids=["fp32", "bf16"])
def test_narrower_registers_give_the_same_samples(lanes, convert, monkeypatch):
    case = make_case(6, 3, 9, 11)
    expected = sample(case, convert=convert)
    monkeypatch.setattr(sampling_kernel, "native_lanes", lambda: lanes)
    monkeypatch.setattr(sampler, "compiled", sampler.compiled.__wrapped__)
    np.testing.assert_array_equal(sample(case, convert=convert), expected)


def test_several_threads_may_call_one_sampler():
    shared, results = Sampler(2), {}

    def call(seed):
        case = make_case(8, 3, 40, 50, seed=seed)
        x, offset, mask = (channels_last(case.tensors[name]) for name in ("x", "offset", "mask"))
        results[seed] = np.full_like(mask, np.nan)
        for _ in range(5):
            shared(x, offset, mask, results[seed], geometry(case))

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        case = make_case(8, 3, 40, 50, seed=seed)
        np.testing.assert_array_equal(results[seed], sample(case))


def test_a_picture_beyond_31_bits_is_refused():
    x = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (1, 2**13, 2**13, 32), (0, 0, 0, 0))
    samples = np.zeros((1, 1, 1, 32), np.float32)
    with pytest.raises(ShapeError, match=r"31 bits, but x \[1, 8192, 8192, 32\] has 2147483648"):
        Sampler(1)(x, samples, None, samples, Geometry((1, 1)), MaskKind.NONE)


@pytest.mark.parametrize(
    "offset, mask, message",
    [
        ((1, 6, 7, 53), (1, 6, 7, 27), r"offset is \[1, 6, 7, 53\], not \[1, 6, 7, 54\], where x is \[1, 6, 7, 3\]"),
        ((1, 5, 7, 54), (1, 5, 7, 27), r"offset is \[1, 5, 7, 54\]"),
        ((1, 6, 7, 54), (2, 6, 7, 27), r"mask is \[2, 6, 7, 27\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_before_memory_is_read(offset, mask, message):
    x, samples = np.zeros((1, 6, 7, 3), np.float32), np.zeros((1, 6, 7, 27), np.float32)
    with pytest.raises(ShapeError, match=message):
        Sampler(1)(
            x, np.zeros(offset, np.float32), np.zeros(mask, np.float32), samples, Geometry((3, 3), pads=(1,) * 4)
        )
