from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqe.errors import ShapeError
from cvqe.frame import Frame, luma_shape, luma_view, with_luma
from cvqe.pixel_format import bit_depth, peak
from tests.media import frames_of, make_video, pattern, plane_bytes

FORMATS = [
    *("yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuvj420p", "yuvj444p", "gray", "nv12", "nv16"),
    *("yuv420p9le", "yuv420p10le", "yuv422p12le", "yuv444p14le", "yuv444p16le", "gray10le", "gray16le", "nv20le"),
    *("yuva420p", "yuva422p10le", "yuva444p16le"),
]
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


def stamped(size: tuple[int, int], pix_fmt: str) -> av.VideoFrame:
    picture = pattern(3, size, pix_fmt)
    picture.pts, picture.duration, picture.time_base, picture.pict_type = -7, 5, Fraction(1, 90_000), 3
    picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc = 1, 9, 9, 16
    return picture


def random_luma(size: tuple[int, int], pix_fmt: str) -> np.ndarray:
    samples = np.random.default_rng(0).integers(0, peak(pix_fmt) + 1, (size[1], size[0]))
    if bit_depth(pix_fmt) == 8:
        return samples.astype(np.uint8)
    return samples.astype("<u2")[..., None].view(np.uint8)


@settings(max_examples=150, deadline=None)
@given(size=sizes, pix_fmt=st.sampled_from(FORMATS))
def test_only_luma_changes(size, pix_fmt):
    old, luma = stamped(size, pix_fmt), random_luma(size, pix_fmt)
    before = list(plane_bytes(old))
    new = with_luma(old, luma)
    assert list(plane_bytes(new)) == [luma.tobytes(), *before[1:]]
    assert list(plane_bytes(old)) == before
    np.testing.assert_array_equal(luma_view(new), luma)


@settings(max_examples=50, deadline=None)
@given(size=sizes, pix_fmt=st.sampled_from(FORMATS))
def test_the_view_is_the_plane_without_its_padding(size, pix_fmt):
    picture = stamped(size, pix_fmt)
    view = luma_view(picture)
    assert view.shape == luma_shape(size[1], size[0], bit_depth(pix_fmt))
    assert view.tobytes() == next(plane_bytes(picture))
    assert np.shares_memory(view, np.frombuffer(memoryview(picture.planes[0]), np.uint8))


def test_stamps_and_tags_come_along_but_not_the_picture_type():
    old = stamped((16, 16), "yuv420p10le")
    new = with_luma(old, luma_view(old))
    for name in ("pts", "duration", "time_base", "color_range", "colorspace", "color_primaries", "color_trc"):
        assert getattr(new, name) == getattr(old, name), name
    assert (new.pict_type, old.pict_type) == (0, 3)


def test_side_data_comes_along(tmp_path):
    with av.open(str(make_video(tmp_path / "in.mkv", frames=1))) as container:
        old = next(container.decode(video=0))
    assert [data.type for data in with_luma(old, luma_view(old)).side_data] == [data.type for data in old.side_data]
    assert len(old.side_data) > 0


def test_a_byte_pair_is_little_endian():
    picture = pattern(0, (2, 2), "gray10le")
    memoryview(picture.planes[0])[:2] = (0x0102).to_bytes(2, "little")
    assert luma_view(picture)[0, 0].tolist() == [0x02, 0x01]


def test_the_view_can_not_be_written():
    with pytest.raises(ValueError, match="read-only"):
        luma_view(pattern(0, (4, 4), "gray"))[0, 0] = 1


def test_the_view_outlives_its_picture():
    view = luma_view(pattern(0, (64, 64), "gray"))
    expected = next(plane_bytes(pattern(0, (64, 64), "gray")))
    _ = [av.VideoFrame(64, 64, "gray") for _ in range(20)]
    assert view.tobytes() == expected


def test_luma_of_any_strides_is_taken():
    luma = random_luma((10, 6), "gray")
    flipped = np.asfortranarray(luma)[::-1, ::-1]
    np.testing.assert_array_equal(luma_view(with_luma(pattern(0, (10, 6), "gray"), flipped)), luma[::-1, ::-1])


def test_a_picture_stored_bottom_up_is_seen_the_right_way_up():
    picture = pattern(0, (10, 6), "yuv420p")
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(width=10, height=6, format=picture.format, time_base=picture.time_base),
        graph.add("vflip"),
        graph.add("buffersink"),
    ).configure()
    graph.push(picture)
    flipped = graph.pull()
    assert flipped.planes[0].line_size < 0
    np.testing.assert_array_equal(luma_view(flipped), luma_view(picture)[::-1])
    np.testing.assert_array_equal(luma_view(with_luma(flipped, luma_view(picture))), luma_view(picture))


def test_frames_still_to_be_predicted_do_not_see_the_new_luma(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=12, options={"bf": "2"})
    with av.open(str(path)) as container:
        decoded = []
        for picture in container.decode(video=0):
            with_luma(picture, np.zeros((48, 64), np.uint8))
            decoded.append(tuple(plane_bytes(picture)))
    assert decoded == [shown.planes for shown in frames_of(path)]


@pytest.mark.parametrize("luma", [np.zeros((6, 9), np.uint8), np.zeros((6, 10, 2), np.uint8), np.zeros((6, 10))])
def test_luma_of_another_shape_or_type_is_refused(luma):
    with pytest.raises(ShapeError, match=r"uint8 \[6, 10\]"):
        with_luma(pattern(0, (10, 6), "yuv420p"), luma)


def test_a_frame_tells_its_time_in_seconds():
    frame = Frame(4, stamped((16, 16), "gray10le"))
    assert (frame.pts, frame.pts_s, frame.duration_s) == (-7, -7 / 90_000, 5 / 90_000)
    assert (frame.bit_depth, frame.peak) == (10, 1023)
