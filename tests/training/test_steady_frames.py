import pytest

from cvqe.errors import InputError
from runtime.decoder import open_source
from tests.media import make_video
from training.evaluation.luma_clip import open_luma
from training.steady_frames import steady_frames


@pytest.fixture
def two_sizes(tmp_path):
    """Four frames of 64x48, then four of 96x48."""
    parts = [make_video(tmp_path / f"{width}.ts", frames=4, size=(width, 48)) for width in (64, 96)]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_frames_come_in_order(tmp_path):
    with open_source(make_video(tmp_path / "in.mkv", frames=5)) as source:
        assert [frame.number for frame in steady_frames(source)] == [0, 1, 2, 3, 4]


def test_a_clip_that_changes_its_size_is_refused_where_it_does(two_sizes):
    with (
        pytest.raises(InputError, match=r"both\.ts changes its size or pixel format at frame 4; split the clip there"),
        open_source(two_sizes) as source,
    ):
        list(steady_frames(source))


def test_what_is_measured_is_refused_too(two_sizes):
    with pytest.raises(InputError, match="at frame 4"), open_luma(two_sizes) as clip:
        list(clip.frames)
