"""The fixed grid against a plain loop over its squares."""

import time

import numpy as np
import pytest

from runtime.fixed_grid import fixed_grid_map


def plain_map(levels: np.ndarray, side_px: int) -> np.ndarray:
    mosaic = np.empty(levels.shape, np.float64)
    for top in range(0, levels.shape[0], side_px):
        for left in range(0, levels.shape[1], side_px):
            square = np.s_[top : top + side_px, left : left + side_px]
            mosaic[square] = levels[square].mean(dtype=np.float64)
    return mosaic.astype(np.float32)


@pytest.mark.parametrize("side_px", [1, 8, 16, 64])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (15, 17), (48, 64), (37, 61)])
def test_every_pixel_becomes_the_mean_of_its_square(size, side_px):
    levels = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    found = fixed_grid_map(levels, side_px)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, plain_map(levels, side_px))


def test_byte_pairs_are_levels_of_their_own_depth():
    levels = np.random.default_rng(1).integers(0, 2**16, (33, 40), np.uint16)
    pairs = levels.astype("<u2")[..., None].view(np.uint8)
    np.testing.assert_array_equal(fixed_grid_map(pairs), plain_map(levels, 16))
    assert fixed_grid_map(np.full((300, 300, 2), 255, np.uint8), 256).max() == 2**16 - 1  # no sum runs over


def test_rows_of_a_decoder_with_padding_are_read_where_they_are():
    rows = np.random.default_rng(2).integers(0, 256, (40, 96), np.uint8)
    np.testing.assert_array_equal(fixed_grid_map(rows[:, :61]), plain_map(rows[:, :61], 16))
    np.testing.assert_array_equal(fixed_grid_map(rows[::-1, :61]), plain_map(rows[::-1, :61], 16))


def test_levels_that_are_no_integers_keep_their_fractions():
    levels = np.random.default_rng(3).random((20, 20), np.float32)
    np.testing.assert_array_equal(fixed_grid_map(levels, 8), plain_map(levels, 8))


def test_a_720p_frame_takes_a_few_milliseconds():
    luma = np.zeros((720, 1280), np.uint8)
    times_s = []
    for _ in range(5):
        start = time.perf_counter()
        fixed_grid_map(luma)
        times_s.append(time.perf_counter() - start)
    assert min(times_s) < 0.02  # about 1 ms on a free core
