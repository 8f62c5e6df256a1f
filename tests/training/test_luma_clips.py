import pytest

from cvqe.errors import InputError
from tests.media import make_video
from training.luma_clips import load_luma


def test_luma_is_every_frames_plane_without_its_padding(clips):
    assert load_luma(clips / "a.mkv").shape == (6, 48, 64)


def test_deep_clips_are_refused(tmp_path):
    make_video(tmp_path / "deep.mkv", frames=1, size=(16, 16), codec="ffv1", pix_fmt="yuv420p10le")
    with pytest.raises(InputError, match=r"deep\.mkv is yuv420p10le; training reads 8-bit"):
        load_luma(tmp_path / "deep.mkv")


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / "x.mkv").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"x\.mkv"):
        load_luma(tmp_path / "x.mkv")
