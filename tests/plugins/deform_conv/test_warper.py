import threading

import numpy as np
import pytest

from cvqe.errors import ShapeError
from plugins.deform_conv import warp_kernel, warper
from plugins.deform_conv.reference import deform_conv
from plugins.deform_conv.sampler import MaskKind
from plugins.deform_conv.warper import ALL, Channels, Warp, warp_planes
from plugins.deform_conv.workers import Workers
from tests.plugins.deform_conv.arrays import bfloat16_bits, channels_last, from_bfloat16_bits

# samples are below 1; three interpolations and a product, each rounded to half of 6e-8
ATOL = 5e-7
SIGMOID_ATOL = 1e-6  # the same, and a power of two good to 2e-7
BF16_ATOL = 2**-9 + ATOL  # half a bfloat16 step at 1, where samples end
WIDE = 4096  # a float32 coordinate there moves in steps of 2.4e-4 to 4.9e-4 px
LAYOUTS = [{"is_x_planar": True, "is_warped_planar": False}, {"is_x_planar": False, "is_warped_planar": True}]
SIZES = [(17, 31), (1, 1), (2, 1), (1, 9), (9, 16), (8, 150)]  # 150 columns are more than a tile


def same(tensor):
    return tensor


def rounded(tensor):
    return from_bfloat16_bits(bfloat16_bits(tensor))


def random_inputs(planes, height, width, *, n=1, offset_px=2.0, channels=None, seed=0):
    """Return x of so many channels, offsets and a mask for so many planes, all [N, C, H, W] and fit for bfloat16."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, channels or planes, height, width), np.float32)
    offset = np.float32(offset_px) * rng.standard_normal((n, 2 * planes, height, width), np.float32)
    mask = rng.random((n, planes, height, width), np.float32)
    return rounded(x), rounded(offset), rounded(mask)


def expected(planes, offset, mask=None, dtype=np.float64):
    """Return the equation's samples, [N, G, H, W]."""
    groups = planes.shape[1]
    inputs = [None if i is None else i.astype(dtype) for i in (planes, offset, mask)]
    return deform_conv(inputs[0], np.eye(groups)[:, :, None, None], inputs[1], mask=inputs[2], offset_group=groups)


def in_cells(offset, block):
    """Return what depth-to-space makes these offsets of, [N, H/r, W/r, C*r*r]."""
    n, channels, height, width = offset.shape
    cells = offset.reshape(n, channels, height // block, block, width // block, block)
    return np.ascontiguousarray(cells.transpose(0, 2, 4, 1, 3, 5).reshape(n, height // block, width // block, -1))


def warped(x, offset, mask, warp, convert=same, n_threads=2):
    """Return [N, G, H, W] in float32, for an x of that layout too; every element was something else before."""
    x, offset = convert(x if warp.is_x_planar else channels_last(x)), convert(offset)
    out = np.full(warp.warped_shape(x.shape), np.nan, np.float32)
    out = bfloat16_bits(out) if convert is bfloat16_bits else out
    warp_planes(Workers(n_threads), x, offset, None if mask is None else convert(mask), out, warp)
    out = from_bfloat16_bits(out) if convert is bfloat16_bits else out
    return out if warp.is_warped_planar else np.moveaxis(out, 3, 1)


@pytest.mark.parametrize("planes", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("planar", LAYOUTS, ids=str)
def test_equals_the_reference_at_odd_sizes(planes, height, width, planar):
    x, offset, _ = random_inputs(planes, height, width, n=2)
    y = warped(x, channels_last(offset), None, Warp(planes, **planar))
    np.testing.assert_allclose(y, expected(x, offset), atol=ATOL, rtol=0)


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("planar", LAYOUTS, ids=str)
def test_bfloat16_only_rounds_what_it_stores(planes, height, width, planar):
    x, offset, _ = random_inputs(planes, height, width, n=2)
    y = warped(x, channels_last(offset), None, Warp(planes, **planar), bfloat16_bits)
    np.testing.assert_allclose(y, expected(x, offset), atol=BF16_ATOL, rtol=0)


@pytest.mark.parametrize("channels, start, step", [(4, 1, 2), (4, 0, 2), (3, 0, 2), (3, 1, 1), (7, 2, 3), (2, 0, 1)])
@pytest.mark.parametrize("convert, atol", [(same, ATOL), (bfloat16_bits, BF16_ATOL)], ids=["fp32", "bf16"])
@pytest.mark.parametrize("planar", LAYOUTS, ids=str)
def test_planes_may_be_some_of_the_channels(channels, start, step, convert, atol, planar):
    x, offset, _ = random_inputs(2, 9, 13, channels=channels, n=2)
    y = warped(x, channels_last(offset), None, Warp(2, Channels(start, step), **planar), convert)
    np.testing.assert_allclose(y, expected(x[:, start::step][:, :2], offset), atol=atol, rtol=0)


@pytest.mark.parametrize("block", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("cells", [(1, 1), (2, 3), (1, 9)])
@pytest.mark.parametrize("convert, atol", [(same, ATOL), (bfloat16_bits, BF16_ATOL)], ids=["fp32", "bf16"])
def test_offsets_in_cells_are_those_after_depth_to_space(block, cells, convert, atol):
    x, offset, _ = random_inputs(2, cells[0] * block, cells[1] * block, n=2)
    y = warped(x, in_cells(offset, block), None, Warp(2, ALL, Channels(block=block)), convert)
    np.testing.assert_allclose(y, expected(x, offset), atol=atol, rtol=0)


@pytest.mark.parametrize("convert, atol", [(same, ATOL), (bfloat16_bits, BF16_ATOL)], ids=["fp32", "bf16"])
@pytest.mark.parametrize("planes", [2, 3])  # an even and an odd count of channels: bfloat16 is read in words of two
def test_offset_and_mask_may_be_ranges_of_one_array(planes, convert, atol):
    x, offset, mask = random_inputs(planes, 9, 13, n=2)
    both = channels_last(np.concatenate([mask, offset], 1))
    warp = Warp(planes, offset=Channels(planes), mask_kind=MaskKind.FACTORS)
    y = warped(x, both, both, warp, convert)
    np.testing.assert_allclose(y, expected(x, offset, mask), atol=atol, rtol=0)


def test_logits_are_sigmoids_of_the_mask():
    x, offset, mask = random_inputs(3, 9, 13)
    logits = 16 * mask - 8
    logits.flat[:4] = [-200, 200, 0, -np.inf]
    y = warped(x, *map(channels_last, (offset, logits)), Warp(3, mask_kind=MaskKind.LOGITS))
    factors = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(y, expected(x, offset, factors), atol=SIGMOID_ATOL, rtol=0)


def test_coordinates_are_exact_in_a_wide_picture():
    x, offset, _ = random_inputs(2, 3, WIDE)
    y = warped(x, channels_last(offset), None, Warp(2))
    np.testing.assert_allclose(y, expected(x, offset), atol=ATOL, rtol=0)
    # the bound means something: coordinates summed in float32 break it
    assert np.abs(expected(x, offset, dtype=np.float32) - expected(x, offset)).max() > 100 * ATOL


@pytest.mark.parametrize("far", [np.nan, np.inf, -np.inf, 3e38, -3e38, 2.0**31, -1e6])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("convert", [same, bfloat16_bits], ids=["fp32", "bf16"])
@pytest.mark.parametrize("planar", LAYOUTS, ids=str)
def test_pixels_moved_out_of_the_picture_read_zero(far, axis, convert, planar):
    x, offset, _ = random_inputs(2, 6, 19)
    offset[:, axis::2] = far
    np.testing.assert_array_equal(warped(x, channels_last(offset), None, Warp(2, **planar), convert), 0)


def test_one_bad_offset_spoils_nothing_else():
    x, offset, _ = random_inputs(2, 6, 19)
    good = warped(x, channels_last(offset), None, Warp(2))
    offset[0, 3, 2, 17] = np.nan  # dx of plane 1
    bad = warped(x, channels_last(offset), None, Warp(2))
    assert bad[0, 1, 2, 17] == 0
    bad[0, 1, 2, 17] = good[0, 1, 2, 17]
    np.testing.assert_array_equal(bad, good)


@pytest.mark.parametrize("convert, atol", [(same, ATOL), (bfloat16_bits, BF16_ATOL)], ids=["fp32", "bf16"])
@pytest.mark.parametrize("planar", LAYOUTS, ids=str)
@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_offsets_that_cross_the_edge_fade_to_zero(convert, atol, planar, width):
    x, offset, _ = random_inputs(2, 9, width, offset_px=6.0)
    y = warped(x, channels_last(offset), None, Warp(2, **planar), convert)
    np.testing.assert_allclose(y, expected(x, offset), atol=atol, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("planar", LAYOUTS, ids=str)
def test_bfloat16_may_begin_in_the_middle_of_a_word(channels, planar):
    x, offset, _ = random_inputs(1, 5, 21, channels=channels)
    warp = Warp(1, Channels(channels - 1), **planar)
    bits = bfloat16_bits(x if warp.is_x_planar else channels_last(x))
    shifted = np.zeros(bits.size + 2, np.uint16)[1:-1].reshape(bits.shape)
    shifted[:] = bits
    assert shifted.ctypes.data % 4 == 2
    results = []
    for array in (bits, shifted):
        results.append(np.empty(warp.warped_shape(array.shape), np.uint16))
        warp_planes(Workers(1), array, bfloat16_bits(channels_last(offset)), None, results[-1], warp)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_the_number_of_threads_changes_nothing(n_threads):
    x, offset, _ = random_inputs(2, 50, 40)
    inputs = x, channels_last(offset), None, Warp(2)
    np.testing.assert_array_equal(warped(*inputs, n_threads=n_threads), warped(*inputs, n_threads=1))


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("convert", [same, bfloat16_bits], ids=["fp32", "bf16"])
@pytest.mark.parametrize("planar", LAYOUTS, ids=str)
def test_narrower_registers_give_the_same_samples(lanes, convert, planar, monkeypatch):
    x, offset, _ = random_inputs(2, 16, 40)
    inputs = x, in_cells(offset, 8), None, Warp(2, ALL, Channels(block=8), **planar), convert
    normal = warped(*inputs)
    monkeypatch.setattr(warp_kernel, "native_lanes", lambda: lanes)
    monkeypatch.setattr(warper, "compiled", warper.compiled.__wrapped__)
    np.testing.assert_array_equal(warped(*inputs), normal)


def test_several_threads_may_warp_at_once():
    workers, results = Workers(2), {}
    inputs = [random_inputs(2, 40, 50, seed=seed) for seed in range(4)]

    def call(seed):
        x, offset, _ = inputs[seed]
        results[seed] = np.full((1, 40, 50, 2), np.nan, np.float32)
        for _ in range(5):
            warp_planes(workers, channels_last(x), channels_last(offset), None, results[seed], Warp(2))

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        x, offset, _ = inputs[seed]
        np.testing.assert_allclose(np.moveaxis(results[seed], 3, 1), expected(x, offset), atol=ATOL, rtol=0)


@pytest.mark.parametrize(
    "x, offset, mask, warp, message",
    [
        ((1, 6, 8, 2), (1, 6, 8, 3), (1,), Warp(2), r"offset is \[1, 6, 8, 3\], not \[1, 6, 8, 4\], where x is"),
        ((1, 6, 8, 2), (1, 5, 8, 4), (1,), Warp(2), r"offset is \[1, 5, 8, 4\]"),
        ((1, 6, 8, 2), (1, 6, 8, 4), (1,), Warp(2, Channels(1)), r"x is \[1, 6, 8, 2\], but 3 channels"),
        ((1, 6, 8, 2), (1, 3, 4, 15), (1,), Warp(2, ALL, Channels(block=2)), r"not \[1, 3, 4, 16\]"),
        ((1, 6, 9, 2), (1, 3, 4, 16), (1,), Warp(2, ALL, Channels(block=2)), "cells of 2x2 pixels do not fill"),
        ((1, 6, 8, 2), (1, 6, 8, 4), (1, 6, 7, 2), Warp(2, mask_kind=MaskKind.FACTORS), r"mask is \[1, 6, 7, 2\]"),
        ((1, 2**13, 2**13, 32), (1, 2**13, 2**13, 2), (1,), Warp(1), r"31 bits, but x \[1, 8192, 8192, 32\] has"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_before_memory_is_read(x, offset, mask, warp, message):
    arrays = [np.broadcast_to(np.float32(0), shape) for shape in (x, offset, mask)]
    with pytest.raises(ShapeError, match=message):
        warp_planes(Workers(1), *arrays, np.broadcast_to(np.float32(0), warp.warped_shape(x)), warp)
