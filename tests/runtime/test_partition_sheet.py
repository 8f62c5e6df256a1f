import tracemalloc
from dataclasses import replace

import av
import numpy as np
import pytest

from cvqe.frame import Frame
from cvqe.partition import INTER, INTRA, SKIPPED, Partition, ShownWindow
from runtime.partition_drawing import draw_partition, enlarged
from runtime.partition_legend import STRIP_PX
from runtime.partition_sheet import FRAME, GRID, GUIDE, Sheet
from tests.runtime.hevc.streams import frame as picture
from tests.runtime.partition_cases import made_partition

SIZE = (30, 14)
MEMORY_OF_DRAWING = 20  # times what is drawn: it is painted in float32, by masks


def made_frame(pix_fmt="yuv420p", partition=None):
    return Frame(12, picture(12, SIZE, pix_fmt), partition=partition or made_partition())


def rgb(frame):
    return frame.picture.reformat(format="rgb24", threads=1).to_ndarray()


def test_a_grid_is_the_partition_drawn_over_the_decoded_frame():
    frame = made_frame()
    sheet = Sheet(scale=3, qp_range=(20, 40)).draw(frame)
    assert sheet.shape == (14 * 3 + STRIP_PX, 30 * 3, 3)
    np.testing.assert_array_equal(sheet[: 14 * 3], draw_partition(rgb(frame), frame.partition, 3, (20, 40)))


def test_panels_stand_side_by_side_over_captions():
    pytest.importorskip("numba")
    sheet = Sheet((FRAME, GRID, GUIDE), scale=1).draw(made_frame())
    assert sheet.shape == (14 + STRIP_PX, 3 * 30 + 2 * 6, 3)
    np.testing.assert_array_equal(sheet[:14, :30], rgb(made_frame()))


@pytest.mark.parametrize("pix_fmt, step", [("yuv420p", 1), ("yuv420p10le", 4)])
def test_the_guided_map_is_the_mean_of_each_unit_in_gray(pix_fmt, step):
    pytest.importorskip("numba")
    frame = made_frame(pix_fmt)
    drawn = Sheet((GUIDE,), scale=1).draw(frame)[:14]
    luma = np.ascontiguousarray(frame.luma)
    levels = luma if step == 1 else luma.view("<u2")[..., 0]
    for rows, columns in ((slice(0, 4), slice(0, 4)), (slice(8, 14), slice(8, 16)), (slice(0, 14), slice(16, 30))):
        peak = 255 if step == 1 else 1023
        assert np.unique(drawn[rows, columns]).tolist() == [round(levels[rows, columns].mean() * 255 / peak)]


def test_all_frames_of_a_clip_are_drawn_in_one_size_whether_read_or_not():
    odd = Frame(0, picture(0, (31, 15), "gray"), partition=None)
    drawn = Sheet(scale=1).draw(odd)
    assert drawn.shape == (16 + STRIP_PX, 32, 3)
    np.testing.assert_array_equal(drawn[:15, :31], rgb(odd))
    other_size = replace(made_frame(), partition=None)
    assert Sheet(scale=2).draw(other_size).shape == Sheet(scale=2).draw(made_frame()).shape


def test_the_guided_map_of_a_picture_in_part_is_black():
    part = replace(made_partition(), errors=("cut off",))
    assert not Sheet((GUIDE,), scale=1).draw(made_frame(partition=part))[:14].any()


def test_a_crop_is_that_part_of_the_whole_drawing():
    whole = Sheet(scale=4).draw(made_frame())
    part = Sheet(scale=4, crop=(5, 2, 20, 10)).draw(made_frame())
    np.testing.assert_array_equal(part[:40], whole[8:48, 20:100])


def mixed_partition(window):
    """Return trees of 64x64, each one skipped unit, or units of 32, or of 8, or nothing that was read."""
    tree = (np.arange(40)[:, None] // 16 + np.arange(60) // 16) % 4
    transform = np.array([6, 5, 3, 0], np.uint8)[tree]
    coding, mode = np.array([6, 5, 4, 0], np.uint8)[tree], np.array([SKIPPED, INTRA, INTER, INTER], np.uint8)[tree]
    return Partition(transform, coding, mode, np.indices((40, 60), np.int8).sum(0, dtype=np.int8) % 52, window, "P")


@pytest.mark.parametrize("crop", [(0, 0, 238, 158), (1, 2, 3, 4), (63, 64, 65, 66), (130, 70, 108, 88)])
@pytest.mark.parametrize("panel", [FRAME, GRID, GUIDE])
def test_a_crop_has_the_pixels_of_the_whole_drawing(panel, crop):
    pytest.importorskip("numba")
    frame = Frame(0, picture(0, (238, 158), "yuv420p"), partition=mixed_partition(ShownWindow(2, 2, 238, 158)))
    left, top, width, height = (3 * side for side in crop)
    whole, part = (Sheet((panel,), 3, part).draw(frame) for part in (None, crop))
    np.testing.assert_array_equal(part[:height, :width], whole[top : top + height, left : left + width])


def test_a_crop_takes_the_memory_of_a_crop():
    ones = np.ones((270, 480), np.uint8)
    partition = Partition(3 * ones, 4 * ones, ones, (30 * ones).astype(np.int8), ShownWindow(0, 0, 1920, 1080), "I")
    frame = Frame(0, av.VideoFrame(1920, 1080, "yuv420p"), partition=partition)
    tracemalloc.start()
    sheet = Sheet(scale=4, crop=(300, 200, 208, 192)).draw(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1920 * 1080 * 3 + MEMORY_OF_DRAWING * sheet.nbytes


@pytest.mark.parametrize("width, scale", [(176, 4), (416, 3), (640, 2), (1280, 1), (4096, 1)])
def test_small_pictures_are_enlarged(width, scale):
    frame = Frame(0, av.VideoFrame(width, 16, "yuv420p"))
    assert Sheet().draw(frame).shape == (16 * scale + STRIP_PX, width * scale, 3)


def test_captions_tell_the_frame_and_what_was_read():
    frame = made_frame()
    captions = [
        Sheet(scale=40).draw(each)[-STRIP_PX:].tobytes()
        for each in (
            frame,
            replace(frame, number=13),
            replace(frame, partition=None),
            replace(frame, partition=replace(frame.partition, errors=("cut off",))),
        )
    ]
    assert len(set(captions)) == 4
    assert enlarged(rgb(frame), 40).shape[1] == Sheet(scale=40).draw(frame).shape[1]
