import os
from random import Random

import av
import numpy as np
import pytest

from cvqe.errors import ExitCode, InputError
from runtime.decoder import open_source
from tests.media import SILENT, Extras, make_video, png


def sentence(path) -> str:
    with pytest.raises(InputError) as caught:
        open_source(path)
    assert caught.value.exit_code == ExitCode.UNREADABLE_INPUT
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_such_file(tmp_path):
    assert sentence(tmp_path / "in.mp4") == f"{tmp_path}/in.mp4: no such file; give the path of a video"


def test_a_folder(tmp_path):
    assert sentence(tmp_path) == f"{tmp_path} is a folder; give one video file inside it"


def test_an_empty_file(tmp_path):
    (tmp_path / "in.mp4").touch()
    assert "is empty (0 bytes)" in sentence(tmp_path / "in.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=1)
    path.chmod(0)
    assert f"chmod u+r {path}" in sentence(path)


@pytest.mark.parametrize("content", [b"Dear diary,\ntoday\n" * 50, bytes(5000), Random(5).randbytes(3000)])
def test_not_a_video(tmp_path, content):
    (tmp_path / "in.mp4").write_bytes(content)
    assert "is not a video that FFmpeg can read" in sentence(tmp_path / "in.mp4")


def test_an_mp4_cut_off_before_its_index(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=30)
    path.write_bytes(path.read_bytes()[:-1500])
    assert "cut off before its index (no moov atom)" in sentence(path)


def test_sound_only(tmp_path):
    path = tmp_path / "in.m4a"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    assert "has no video stream (it holds audio)" in sentence(path)


def test_a_cover_is_not_a_video(tmp_path):
    path = tmp_path / "in.mp3"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("mp3", rate=48_000)
        cover = container.add_mux_stream("png", width=16, height=16)
        cover.disposition = av.stream.Disposition.attached_pic
        container.start_encoding()
        packet = av.Packet(png())
        packet.stream, packet.pts, packet.dts = cover, 0, 0
        container.mux(packet)
        for number in range(4):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.int16), format="s16p", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, number * 1152
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    assert "has no video stream (it holds audio and cover art)" in sentence(path)


def test_a_video_of_which_nothing_decodes(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=5)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    assert "not one frame of its h264 video could be decoded" in sentence(path)


def test_a_cover_in_front_of_the_video_is_passed_over(tmp_path):
    path = make_video(tmp_path / "in.mp4", extras=Extras(cover=True))
    with open_source(path) as source:
        assert (source.info.codec, source.info.width) == ("h264", 64)


def test_the_video_marked_default_is_the_one(tmp_path):
    path = tmp_path / "in.mkv"
    make_video(path, extras=Extras(audio=None, second_video=True))
    with open_source(path) as source:
        assert (source.info.stream_index, source.info.width) == (0, 64)
    make_video(path, extras=Extras(audio=None, second_video=True, second_is_default=True))
    with open_source(path) as source:
        assert (source.info.stream_index, source.info.width) == (1, 32)


@pytest.mark.parametrize("name", ["mit Leer zeichen.mp4", "ünïcode 映像.mp4", "12:30 100%d.mp4", "x" * 200 + ".mp4"])
def test_any_name_will_do(tmp_path, monkeypatch, name):
    make_video(tmp_path / name, frames=2, extras=SILENT)
    monkeypatch.chdir(tmp_path)
    with open_source(tmp_path.__class__(name)) as source:
        assert len(list(source.items())) == 2


def test_a_name_too_long_for_any_file_is_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / ("x" * 300 + ".mp4"))
