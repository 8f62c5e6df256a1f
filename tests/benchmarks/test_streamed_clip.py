"""A streamed clip has B-frames, keyframes at equal distances, all frames of its source, and the same bytes again."""

import av
import pytest
from av.video.frame import PictureType

from benchmarks.streamed_clip import SEGMENT_S, TITLE, code_as_streamed
from cvqe.errors import InputError
from tests.media import make_video

RATE, N_FRAMES = 5, 23


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "a.mkv"
    return make_video(path, frames=N_FRAMES, size=(96, 80), codec="ffv1", rate=RATE)


def test_frames_come_in_segments_with_b_frames(pristine, tmp_path):
    with av.open(str(code_as_streamed(pristine, tmp_path / "x264" / "a.mkv"))) as container:
        frames = list(container.decode(video=0))
    keys = [number for number, frame in enumerate(frames) if frame.key_frame]
    assert len(frames) == N_FRAMES
    assert keys == list(range(0, N_FRAMES, SEGMENT_S * RATE))
    assert PictureType.B in {frame.pict_type for frame in frames}


def test_the_same_clip_gives_the_same_packets(pristine, tmp_path):
    def packets(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0)]

    first, second = (packets(code_as_streamed(pristine, tmp_path / f"{name}.mkv")) for name in "ab")
    assert first == second


def test_the_title_tells_what_the_bitstream_says_of_itself(pristine, tmp_path):
    content = code_as_streamed(pristine, tmp_path / "a.mkv").read_bytes()
    assert b"rc=crf mbtree=1 crf=30.0" in content and b"bframes=3" in content and b"scenecut=0" in content
    assert "CRF 30" in TITLE and "3 B-frames" in TITLE


def test_what_is_no_clip_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "a.mkv").write_bytes(b"no video")
    with pytest.raises(InputError):
        code_as_streamed(tmp_path / "a.mkv", tmp_path / "coded.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
