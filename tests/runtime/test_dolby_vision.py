"""Dolby Vision in real files: its record is put into an MP4, and FFmpeg itself carries it on into Matroska."""

import av
import pytest

from cvqe.errors import InputError
from runtime.decoder import open_source
from runtime.dolby_vision import DolbyVision, check_colors, dolby_vision
from runtime.input_file import open_container, video_stream
from tests.media import SILENT, Extras, add_dolby_vision, add_dolby_vision_metadata, make_video

CODECS = {"libx265": b"hvcC", "libx264": b"avcC", "libsvtav1": b"av1C"}


CONTAINERS = pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])


def dolby_video(tmp_path, container, profile, compatibility, codec="libx265", extras=SILENT):
    first = tmp_path / ("first.mov" if container == "mov" else "first.mp4")
    add_dolby_vision(make_video(first, codec=codec, frames=4, extras=extras), profile, compatibility, CODECS[codec])
    return remuxed(first, tmp_path / "second.mkv") if container == "mkv" else first


def remuxed(source, target):
    options = {"strict": "unofficial"}  # else FFmpeg leaves the record out
    with av.open(str(source)) as reader, av.open(str(target), "w", options=options) as writer:
        copies = {stream.index: writer.add_stream_from_template(stream, opaque=True) for stream in reader.streams}
        for packet in reader.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                writer.mux(packet)
    return target


def found_in(path, stream=None):
    with open_container(path) as opened:
        video = video_stream(opened, path) if stream is None else opened.streams.video[stream]
        return dolby_vision(opened, video, next(opened.decode(video)))


def coded(path):
    params = {"x265-params": "log-level=none:aud=1"}
    return make_video(path, codec="libx265", pix_fmt="yuv420p10le", frames=4, options=params)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "profile, compatibility, codec",
    [(5, 0, "libx265"), (7, 6, "libx265"), (8, 1, "libx265"), (9, 2, "libx264"), (10, 4, "libsvtav1")],
)
def test_profile_and_compatibility_are_read(tmp_path, container, profile, compatibility, codec):
    path = dolby_video(tmp_path, container, profile, compatibility, codec)
    assert found_in(path) == DolbyVision(profile, compatibility)


@CONTAINERS
def test_the_record_is_the_enhanced_tracks_own(tmp_path, container):
    other_first = Extras(audio="aac", second_video=True, second_is_default=False)
    path = dolby_video(tmp_path, container, 8, 1, extras=other_first)
    found = [found_in(path, stream) for stream in (0, 1)]
    assert found == [DolbyVision(8, 1), None]


def test_a_video_without_it_has_none(tmp_path):
    for name in ("in.mp4", "in.mkv", "in.ts", "in.hevc"):
        assert found_in(make_video(tmp_path / name, codec="libx265", frames=4)) is None


def test_a_codec_tag_alone_tells_of_it_but_not_which(tmp_path):
    path = make_video(tmp_path / "in.mp4", codec="libx265", frames=4)
    path.write_bytes(path.read_bytes().replace(b"hev1", b"dvhe"))
    assert found_in(path) == DolbyVision(None, None)
    check(path)


@pytest.mark.parametrize(
    "rpu_profile, is_full_range, found",
    [(0, True, DolbyVision(5, 0)), (0, False, DolbyVision()), (1, False, DolbyVision())],
)
def test_of_a_file_without_a_record_the_metadata_tells(tmp_path, rpu_profile, is_full_range, found):
    path = coded(tmp_path / "in.hevc")
    add_dolby_vision_metadata(path, rpu_profile, is_full_range)
    assert found_in(path) == found


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("profile, codec", [(5, "libx265"), (10, "libsvtav1")])
def test_colors_that_need_the_metadata_are_refused(tmp_path, container, profile, codec):
    path = dolby_video(tmp_path, container, profile, 0, codec)
    assert_refused(path, profile)


def test_so_they_are_where_the_metadata_alone_tells(tmp_path):
    path = coded(tmp_path / "in.hevc")
    add_dolby_vision_metadata(path, rpu_profile=0, is_full_range=True)
    assert_refused(path, 5)


def check(path):
    with open_source(path) as source:
        check_colors(path.name, source.info.dolby_vision)


def assert_refused(path, profile):
    with pytest.raises(InputError, match=rf"{path.name} is Dolby Vision of profile {profile}: .*HDR10 or SDR version"):
        check(path)


@pytest.mark.parametrize("profile, compatibility", [(4, 2), (7, 6), (7, 0), (8, 1), (8, 2), (8, 4)])
def test_compatible_pictures_are_not_refused(tmp_path, profile, compatibility):
    check(dolby_video(tmp_path, "mp4", profile, compatibility))
