"""Guided maps against the plain definition: the mean over each unit's shown part."""

import numpy as np
import pytest

from cvqe.errors import ShapeError
from cvqe.partition import CELL_PX, Partition, ShownWindow
from runtime.hevc.guided_map import guided_map

WINDOWS = [(0, 0, 64, 64), (3, 5, 50, 41), (0, 2, 64, 60), (7, 9, 57, 55), (33, 1, 5, 63)]


def partition_of(random: np.random.Generator, window: tuple[int, int, int, int]) -> Partition:
    sides = np.repeat(np.repeat(random.integers(2, 6, (2, 2)), 8, 0), 8, 1).astype(np.uint8)
    return Partition(sides, sides, sides, sides.astype(np.int8), ShownWindow(*window), "I")


def expected(luma: np.ndarray, partition: Partition) -> np.ndarray:
    left, top, width, height = partition.window
    rows, columns = (np.arange(size) // CELL_PX for size in (top + height, left + width))
    log2 = partition.transform[rows[top:, None], columns[None, left:]].astype(int)
    y, x = np.mgrid[top : top + height, left : left + width]
    unit = np.stack([y >> log2, x >> log2, log2], -1)
    _, number = np.unique(unit.reshape(-1, 3), axis=0, return_inverse=True)
    number = number.reshape(-1)
    means = np.bincount(number, luma.reshape(-1)) / np.bincount(number)
    return means[number].reshape(height, width).astype(np.float32)


@pytest.mark.parametrize("window", WINDOWS)
def test_each_unit_is_the_mean_of_what_is_shown_of_it(window):
    random = np.random.default_rng(1)
    partition = partition_of(random, window)
    luma = random.integers(0, 256, (window[3], window[2]), np.uint8)
    np.testing.assert_array_equal(guided_map(luma, partition), expected(luma, partition))


@pytest.mark.parametrize("window", WINDOWS[:2])
def test_levels_above_8_bit_come_as_byte_pairs(window):
    random = np.random.default_rng(2)
    partition = partition_of(random, window)
    luma = random.integers(0, 1024, (window[3], window[2]), np.uint16)
    pairs = luma.view(np.uint8).reshape(*luma.shape, 2)
    np.testing.assert_array_equal(guided_map(pairs, partition), expected(luma, partition))


def test_planes_may_be_read_only_and_of_any_strides():
    random = np.random.default_rng(3)
    partition = partition_of(random, (0, 0, 64, 64))
    padded = random.integers(0, 256, (64, 80), np.uint8)[::-1]
    padded.flags.writeable = False
    np.testing.assert_array_equal(guided_map(padded[:, :64], partition), expected(padded[:, :64], partition))


def test_luma_of_another_size_is_refused():
    partition = partition_of(np.random.default_rng(4), (0, 0, 64, 64))
    with pytest.raises(ShapeError, match=r"luma is \[60, 64\], but its partition shows \[64, 64\]"):
        guided_map(np.zeros((60, 64), np.uint8), partition)
