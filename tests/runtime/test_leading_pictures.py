import contextlib

import av
import pytest

from cvqe.frame import Frame
from runtime.decoder import open_source
from tests.media import make_video, plane_bytes

OPEN_GOP = "keyint=16:min-keyint=16:bframes=3:b-adapt=0:open-gop=1:scenecut=0:repeat-headers=1"
CODERS = {
    "libx265": {"x265-params": f"log-level=none:{OPEN_GOP}"},
    "libx264": {"x264-params": OPEN_GOP},
    "mpeg2video": {"g": "12", "bf": "2"},
}
HIDDEN_FRAMES = {"lag-in-frames": "16", "auto-alt-ref": "1", "g": "16"}


def cut(whole, path, first):
    """Copy the packets from number `first` on."""
    with av.open(str(whole)) as container, av.open(str(path), "w") as part:
        copy = part.add_stream_from_template(container.streams.video[0])
        for packet in list(packets(container))[first:]:
            packet.stream = copy
            part.mux(packet)
    return path


def packets(container):
    return (packet for packet in container.demux(video=0) if packet.size)


def second_keyframe(path):
    with av.open(str(path)) as container:
        return [number for number, packet in enumerate(packets(container)) if packet.is_keyframe][1]


def decoded(path):
    """Decode by FFmpeg's defaults, past packets that don't decode."""
    shown = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with contextlib.suppress(av.FFmpegError):
                shown += [tuple(plane_bytes(picture)) for picture in packet.decode()]
    return shown


def read(path, threads):
    with open_source(path, threads) as source:
        return source, [item for item in source.items() if isinstance(item, Frame)]


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize(
    "codec, ending, n_lost",
    [
        ("libx265", "hevc", 3),
        ("libx265", "ts", 3),
        ("libx265", "mkv", 3),
        ("libx264", "ts", 3),
        ("mpeg2video", "mkv", 2),
    ],
)
def test_they_are_counted_and_the_others_shown(tmp_path, codec, ending, n_lost, threads):
    whole = make_video(tmp_path / "whole.mkv", frames=48, codec=codec, options=CODERS[codec])
    first = second_keyframe(whole)
    path = cut(whole, tmp_path / f"in.{ending}", first)
    source, frames = read(path, threads)
    assert [tuple(plane_bytes(frame.picture)) for frame in frames] == decoded(path)
    assert len(frames) == 48 - first - n_lost
    assert (source.n_leading_lost, source.n_damaged, source.truncated_note) == (n_lost, 0, None)
    assert f"{n_lost} leading pictures refer to frames before the start and can't be decoded: left out" in source.notes


@pytest.mark.parametrize("threads", [1, 4])
def test_a_video_from_its_beginning_has_none(tmp_path, threads):
    for codec, options in CODERS.items():
        path = make_video(tmp_path / f"{codec}.mkv", frames=48, codec=codec, options=options)
        source, frames = read(path, threads)
        assert (len(frames), source.n_leading_lost) == (48, 0)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_frames_that_are_never_shown_are_none(tmp_path, codec):
    path = make_video(tmp_path / "in.mkv", frames=40, codec=codec, options=HIDDEN_FRAMES)
    source, frames = read(path, threads=1)
    assert (len(frames), source.n_leading_lost) == (40, 0)


def test_what_failed_to_decode_is_damage_and_not_counted_twice(tmp_path):
    whole = make_video(tmp_path / "whole.mkv", frames=40, codec="libvpx-vp9", options={"g": "16"})
    path = cut(whole, tmp_path / "in.mkv", first=10)
    source, frames = read(path, threads=1)
    assert [tuple(plane_bytes(frame.picture)) for frame in frames] == decoded(path)
    assert (source.n_damaged, source.n_leading_lost) == (30 - len(frames), 0)
