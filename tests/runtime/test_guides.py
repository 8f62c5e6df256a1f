"""Which guide a frame gets, and that a stand-in is neither silent nor called what it isn't."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from cvqe.frame import Frame
from cvqe.partition import Partition, ShownWindow
from runtime.fixed_grid import fixed_grid_map
from runtime.guides import Guides, unfit
from tests.media import pattern

WIDTH, HEIGHT = 24, 16
PICTURE = pattern(0, (WIDTH, HEIGHT), "yuv420p")
CELLS = np.full((HEIGHT // 4, WIDTH // 4), 3, np.uint8)
PARTITION = Partition(CELLS, CELLS, 0 * CELLS, CELLS.astype(np.int8), ShownWindow(0, 0, WIDTH, HEIGHT), "P")
HOLED = replace(PARTITION, transform=np.where(np.arange(6) == 4, 0, CELLS).astype(np.uint8))


@pytest.mark.parametrize(
    "partition, words",
    [
        (PARTITION, None),
        (replace(PARTITION, window=ShownWindow(8, 2, WIDTH, HEIGHT)), None),
        (None, "the picture is damaged"),
        (HOLED, "some of its blocks were not read"),
        (replace(PARTITION, errors=("the slice ends early", "no more")), "the slice ends early"),
        (replace(PARTITION, window=ShownWindow(0, 0, 32, 16)), "of 32x16 pixels, the frame of 24x16"),
    ],
)
def test_only_a_whole_partition_of_the_frames_own_size_may_guide(partition, words):
    reason = unfit(partition, WIDTH, HEIGHT)
    assert reason is None if words is None else words in reason


def test_why_the_packet_gave_no_partition_is_what_the_user_reads():
    guides = Guides("mganet")
    guides.of(Frame(0, PICTURE, partition_obstacle="screen content coding is not read"))
    assert guides.found == "guide: a fixed 16x16 grid for 1 frame (screen content coding is not read)"


def test_the_stand_in_is_said_once_and_counted(caplog):
    guides = Guides("mganet")
    with caplog.at_level(logging.WARNING):
        found = [guides.of(Frame(number, PICTURE, partition=each)) for number, each in enumerate([HOLED, None])]
    for guide in found:
        np.testing.assert_array_equal(guide, fixed_grid_map(Frame(0, PICTURE).luma))
    assert len(caplog.records) == 1
    assert "frame 0 has no transform units to guide mganet by (some of its blocks were not read)" in caplog.text
    assert guides.found == "guide: a fixed 16x16 grid for 2 frames (some of its blocks were not read)"
    assert guides.counts == {"transform_units": 0, "fixed_grid": 2}


def test_where_no_frame_can_have_a_partition_the_reason_is_the_videos():
    guides = Guides("mganet", "h264 tells no transform units")
    guides.of(Frame(0, PICTURE))
    assert guides.found == "guide: a fixed 16x16 grid for 1 frame (h264 tells no transform units)"


def test_without_a_frame_there_was_none():
    assert Guides("mganet").found == "guide: none"
