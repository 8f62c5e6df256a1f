from dataclasses import replace

import av
import numpy as np
import pytest

from cvqe.frame import Frame
from cvqe.partition import ShownWindow
from runtime.partition_report import clip_report, pictures_report
from runtime.partition_statistics import BlockAreas, ClipStatistics, PictureStatistics, shown_area_px
from tests.runtime.partition_cases import made_partition


def frame(number=0, partition=None, size=(30, 14)):
    return Frame(number, av.VideoFrame(*size, "yuv420p"), partition=partition)


def unread(partition):
    """Return the partition with one block that was not read."""
    transform = partition.transform.copy()
    transform[0, 0] = 0
    return replace(partition, transform=transform)


def test_areas_are_those_counted_by_hand_and_end_where_the_picture_is_cropped():
    areas = BlockAreas.of(made_partition())
    # 4x4: 8x8 samples; 8x8: the rest of 16x14; 16x16: 14 columns and 14 rows of the right coding unit
    assert areas.transform.tolist() == [64, 160, 196, 0, 0]
    assert areas.coding.tolist() == [0, 0, 420, 0, 0]
    assert areas.mode.tolist() == [0, 224, 196]
    assert areas.qps == {30: pytest.approx(224 / 420), 34: pytest.approx(196 / 420)}
    assert areas.mean_qp == pytest.approx((30 * 224 + 34 * 196) / 420)


def test_what_is_cropped_on_the_left_and_above_does_not_count_either():
    partition = replace(made_partition(), window=ShownWindow(left=6, top=2, width=20, height=13))
    expected = np.zeros((16, 32), int)
    expected[2:15, 6:26] = 1
    np.testing.assert_array_equal(shown_area_px(partition), expected.reshape(4, 4, 8, 4).sum((1, 3)))


def test_quantisers_below_zero_count():
    partition = made_partition()
    deep = BlockAreas.of(replace(partition, qp=np.full_like(partition.qp, -12)))
    assert deep.qps == {-12: 1.0}


def test_a_clip_is_the_sum_of_the_pictures_that_were_read_as_a_whole():
    part = made_partition()
    frames = [frame(0, part), frame(1, unread(part)), frame(2), frame(3, replace(part, errors=("cut off",)))]
    statistics = ClipStatistics()
    for each in [*frames, frame(4, replace(part, slice_types="PB"))]:
        statistics.add(PictureStatistics.of(each))
    assert (statistics.n_pictures, statistics.n_whole) == (5, 2)
    assert statistics.areas.transform.tolist() == [128, 320, 392, 0, 0]
    assert statistics.types == {"P": 3, "B": 1}
    assert sorted(statistics.problems.values()) == [[1], [2], [3]]
    assert statistics.problems["cut off"] == [3]


def test_a_partition_of_another_size_than_the_frame_is_not_counted():
    picture = PictureStatistics.of(frame(7, made_partition(), size=(32, 16)))
    assert picture.areas is None
    assert "30x14" in picture.problems[0]


def test_the_report_says_shares_types_and_what_was_not_read():
    statistics = ClipStatistics()
    for each in [frame(0, made_partition()), *(frame(number) for number in range(1, 12))]:
        statistics.add(PictureStatistics.of(each))
    text = clip_report(statistics)
    assert "12 (P 1)" in text
    assert "11: " in text and "frame 1, 2, 3, 4, 5, 6, 7, 8 and 3 more" in text
    assert text.splitlines()[3].split() == ["transform", "15.2%", "38.1%", "46.7%", "-", "-"]
    assert "mean 31.87, 30 to 34" in text


def test_nothing_read_is_said_without_shares():
    statistics = ClipStatistics()
    statistics.add(PictureStatistics.of(frame()))
    assert "transform" not in clip_report(statistics)
    assert statistics.as_dict()["qp"] == {"min": None, "mean": None, "max": None, "share": {}}


def test_each_picture_has_a_line_of_its_own():
    text = pictures_report([PictureStatistics.of(frame(3, made_partition())), PictureStatistics.of(frame(4))])
    header, first, second = text.splitlines()
    assert header.split()[:3] == ["frame", "slices", "4x4"]
    assert first.split()[:3] == ["3", "P", "15.2%"]
    assert "not read" in second
