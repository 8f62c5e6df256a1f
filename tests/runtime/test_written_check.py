from fractions import Fraction

import av
import pytest

from cvqe.errors import CvqeError
from runtime.written_check import Written, check_written
from tests.media import Extras, make_video

FORMATS = {"mp4": "mp4", "mkv": "matroska", "mov": "mov", "ts": "mpegts"}
N_FRAMES = 60


def written(path) -> Written:
    """Count what a whole file holds."""
    found = Written(0)
    with av.open(str(path)) as container:
        n_packets = [0] * len(container.streams)
        times = []
        for packet in container.demux():
            if packet.size:
                n_packets[packet.stream.index] += 1
                times += [packet.pts * packet.time_base] * (packet.stream.type == "video")
    for time_s in sorted(times):
        found.see_frame(time_s)
    found.n_packets = dict(enumerate(n_packets))
    return found


@pytest.fixture(params=FORMATS)
def video(request, tmp_path):
    return make_video(tmp_path / f"out.partial.{request.param}", frames=N_FRAMES, extras=Extras())


def form(path) -> str:
    return FORMATS[path.suffix[1:]]


def test_a_whole_file_is_fine(video):
    check_written(video, form(video), written(video))


def test_a_frame_too_few_is_seen(video):
    expected = written(video)
    expected.see_frame(expected.last_s + Fraction(1, 25))
    with pytest.raises(CvqeError, match="60 of its 61 frames can be read back; it keeps this name"):
        check_written(video, form(video), expected)


def test_another_length_is_seen(video):
    expected = written(video)
    expected.last_s += Fraction(1, 25)
    with pytest.raises(CvqeError, match=r"its frames last 2\.360 s, not 2\.400 s"):
        check_written(video, form(video), expected)


def test_lost_sound_is_seen(video):
    expected = written(video)
    expected.n_packets = {0: N_FRAMES, 1: expected.n_packets[1] + 1}
    if form(video) == "mpegts":  # which cuts sound into packets anew
        check_written(video, "mpegts", expected)
    else:
        with pytest.raises(CvqeError, match="packets of its sound"):
            check_written(video, form(video), expected)
    expected.n_refused = 1
    check_written(video, form(video), expected)


def test_a_file_cut_off_is_seen(video):
    expected = written(video)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    with pytest.raises(CvqeError, match="was written, but"):
        check_written(video, form(video), expected)
    assert video.exists()


def test_an_end_that_does_not_decode_is_seen(tmp_path):
    path = make_video(tmp_path / "out.partial.mp4", frames=N_FRAMES, codec="mpeg4")
    expected = written(path)
    with av.open(str(path)) as container:
        *_, last = (packet for packet in container.demux(video=0) if packet.size)
    content = bytearray(path.read_bytes())
    place = content.rindex(bytes(last))
    content[place : place + last.size] = bytes(last.size)
    path.write_bytes(content)
    with pytest.raises(CvqeError, match="was written, but"):
        check_written(path, form(path), expected)
