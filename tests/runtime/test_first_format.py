import numpy as np
import pytest

from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.first_format import FirstFormat
from tests.media import Color, make_video, pattern

FULL, LIMITED, BT709, BT601 = 2, 1, 1, 6


def info_of(folder, **video):
    with open_source(make_video(folder / "in.mkv", frames=1, codec="ffv1", **video)) as source:
        return source.info


def flat(number, size=(96, 64), pix_fmt="yuv420p", levels=(120, 90, 200), color_range=0, space=2):
    picture = pattern(number, size, pix_fmt)
    for plane, level in zip(picture.planes, levels, strict=True):
        plane.update(np.full(plane.buffer_size, level, np.uint8).tobytes())
    picture.color_range, picture.colorspace, picture.pts = color_range, space, number
    return Frame(number, picture)


def levels(frame):
    return tuple(int(np.frombuffer(plane, np.uint8)[5]) for plane in frame.picture.planes)


def test_frames_like_the_first_come_through_untouched(tmp_path):
    first, frame = FirstFormat(info_of(tmp_path)), flat(0, size=(64, 48))
    assert first.fit(frame).picture is frame.picture
    assert (first.n_changed, first.note) == (0, None)


def test_only_the_first_frame_of_each_format_follows_a_gap(tmp_path):
    first = FirstFormat(info_of(tmp_path))
    sizes = [(64, 48), (96, 64), (96, 64), (32, 32), (64, 48), (64, 48)]
    fitted = [first.fit(flat(number, size)) for number, size in enumerate(sizes)]
    assert [frame.follows_gap for frame in fitted] == [False, True, False, True, True, False]
    assert {(frame.picture.width, frame.picture.height) for frame in fitted} == {(64, 48)}
    assert first.note == (
        "3 frames from frame 1 on are 96x64 yuv420p and 32x32 yuv420p and were scaled to 64x48 yuv420p, like the first"
    )


def test_a_single_frame_is_spoken_of_as_one(tmp_path):
    first = FirstFormat(info_of(tmp_path))
    first.fit(flat(4, size=(64, 48), pix_fmt="yuv444p"))
    assert first.note == "1 frame from frame 4 on is 64x48 yuv444p and was converted to 64x48 yuv420p, like the first"


def test_a_gap_that_is_known_already_is_kept(tmp_path):
    frame = flat(3, size=(64, 48))
    frame = Frame(3, frame.picture, follows_gap=True)
    assert FirstFormat(info_of(tmp_path)).fit(frame).follows_gap


def test_time_and_coding_stay_but_how_another_size_was_divided(tmp_path):
    picture = flat(5).picture
    fitted = FirstFormat(info_of(tmp_path)).fit(Frame(5, picture, qp=30.0, arrived_s=1.5))
    assert (fitted.number, fitted.picture.pts, fitted.qp, fitted.arrived_s) == (5, 5, 30.0, 1.5)
    assert (fitted.partition, fitted.partition_obstacle) == (None, "the frame was scaled")


@pytest.mark.parametrize(
    "meant, found, expected",
    [
        (Color(LIMITED, BT709), {"levels": (255, 128, 128), "color_range": FULL, "space": BT709}, (235, 128, 128)),
        (Color(FULL, BT709), {"levels": (235, 128, 128), "color_range": LIMITED, "space": BT709}, (255, 128, 128)),
        (Color(), {"pix_fmt": "yuvj420p", "levels": (255, 128, 128)}, (235, 128, 128)),
        # by hand: to R'G'B' by BT.709's weights of red and blue (0.2126, 0.0722), back by BT.601's (0.299, 0.114)
        (Color(LIMITED, BT601), {"space": BT709}, (130, 82, 202)),
        (Color(LIMITED, BT709), {"space": BT709}, (120, 90, 200)),
        (Color(LIMITED, BT709), {}, (120, 90, 200)),
        (Color(LIMITED, BT709), {"space": 14}, (120, 90, 200)),
    ],
)
def test_colors_stay_what_they_mean(tmp_path, meant, found, expected):
    fitted = FirstFormat(info_of(tmp_path, color=meant)).fit(flat(1, **found))
    assert levels(fitted) == pytest.approx(expected, abs=1)
    assert (fitted.picture.color_range, fitted.picture.colorspace) == (meant.range, meant.space)


def test_depth_is_the_first_ones(tmp_path):
    first = FirstFormat(info_of(tmp_path, pix_fmt="yuv420p10le"))
    fitted = first.fit(flat(1))
    assert fitted.bit_depth == 10
    assert int(np.frombuffer(fitted.picture.planes[0], np.uint16)[5]) == pytest.approx(4 * 120, abs=2)
