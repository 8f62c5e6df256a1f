"""Frames are counted from the last IDR picture where their partitions tell it."""

from dataclasses import replace

import numpy as np

from cvqe.frame import Frame
from cvqe.partition import Partition, ShownWindow
from runtime.coding_order import CodingOrder
from tests.media import pattern

PICTURE = pattern(0, (16, 16), "yuv420p")
CELLS = np.full((4, 4), 3, np.uint8)
PARTITION = Partition(CELLS, CELLS, CELLS, CELLS.view(np.int8), ShownWindow(0, 0, 16, 16), "P")


def counts_of(*order_counts: int | None) -> list[int]:
    order = CodingOrder()
    partitions = [None if each is None else replace(PARTITION, order_count=each) for each in order_counts]
    return [order.count(Frame(number, PICTURE, partition=each)) for number, each in enumerate(partitions)]


def test_without_partitions_the_number_counts():
    assert counts_of(None, None, None) == [0, 1, 2]


def test_lost_pictures_and_new_starts_are_followed():
    assert counts_of(0, 1, 3, 4, 0, 1) == [0, 1, 3, 4, 0, 1]


def test_a_frame_that_tells_nothing_follows_the_one_before():
    assert counts_of(0, 1, 0, None, None, 3, 5, None) == [0, 1, 0, 1, 2, 3, 5, 6]
