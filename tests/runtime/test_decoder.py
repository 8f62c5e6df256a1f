import itertools
from fractions import Fraction

import av
import pytest

from cvqe.errors import CvqeError, InputError
from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.live_input import LiveInput
from tests.media import (
    BT709,
    PQ,
    SILENT,
    Extras,
    corrupt_packet,
    frames_of,
    make_video,
    opened,
    packets_of,
    pattern,
    plane_bytes,
)

VARIABLE = [0, 7, 9, 30, 31, 60, 100, 101, 102, 140]  # hundredths of a second


def read(path, **options):
    with open_source(path, **options) as source:
        items = list(source.items())
    frames = [item for item in items if isinstance(item, Frame)]
    packets = [item for item in items if not isinstance(item, Frame)]
    return source, frames, packets


def assert_frames_are_those_of(path, frames):
    shown = frames_of(path)
    assert [frame.number for frame in frames] == list(range(len(shown)))
    assert [frame.pts for frame in frames] == [each.pts for each in shown]
    assert [tuple(plane_bytes(frame.picture)) for frame in frames] == [each.planes for each in shown]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "ts"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("threads", [1, 4])
def test_every_frame_comes_once_in_the_order_of_showing(tmp_path, ending, codec, threads):
    path = make_video(
        tmp_path / f"in.{ending}", frames=24, codec=codec, options={"bf": "3"} if codec[-1] == "4" else {}
    )
    source, frames, _ = read(path, threads=threads)
    assert_frames_are_those_of(path, frames)
    assert (source.n_frames, source.n_damaged, source.n_repaired, source.truncated_note) == (24, 0, 0, None)


@pytest.mark.parametrize("first", [0, 33, -10])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_variable_rate_and_odd_starts_are_kept(tmp_path, ending, first):
    stamps = [first + pts for pts in VARIABLE]
    path = make_video(tmp_path / f"in.{ending}", pts_list=stamps, time_base=Fraction(1, 100), extras=Extras())
    source, frames, _ = read(path)
    assert_frames_are_those_of(path, frames)
    assert (source.n_repaired, source.truncated_note) == (0, None)


@pytest.mark.parametrize("n_frames", [1, 2])
def test_the_shortest_videos_are_whole(tmp_path, n_frames):
    path = make_video(tmp_path / "in.mp4", frames=n_frames)
    assert_frames_are_those_of(path, read(path)[1])


@pytest.mark.parametrize("ending, codec", [("h264", "libx264"), ("hevc", "libx265"), ("y4m", "rawvideo")])
def test_raw_streams_are_counted_by_their_rate(tmp_path, ending, codec):
    path = make_video(tmp_path / f"in.{ending}", frames=7, codec=codec)
    source, frames, _ = read(path)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(number, 25) for number in range(7)]
    assert source.n_repaired == (0 if ending == "y4m" else 7)


def test_b_frames_in_avi_come_in_steps(tmp_path):
    path = make_video(tmp_path / "in.avi", frames=12, options={"bf": "3"})
    stamps = [frame.pts for frame in read(path)[1]]
    assert stamps == list(range(stamps[0], stamps[0] + 12))


def test_other_streams_come_as_they_are(tmp_path):
    path = make_video(tmp_path / "in.mkv", extras=Extras(n_audio_tracks=2, subtitles="subrip", second_video=True))
    source, _, copied = read(path)
    assert source.info.n_other_streams == 4
    for kind, first in (("audio", 2), ("subtitle", 4)):
        for position, packets in packets_of(path, kind).items():
            mine = [each.packet for each in copied if each.stream_index == first + position]
            assert [bytes(packet) for packet in mine] == [data for _, data in packets]
    assert len([each for each in copied if each.stream_index == 1]) == 5


def test_items_keep_the_order_of_the_file(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=100, extras=Extras())
    with open_source(path, threads=1) as source:
        times = [item.pts_s if isinstance(item, Frame) else item.starts_s for item in source.items()]
    assert all(later > earlier - 0.5 for earlier, later in itertools.pairwise(times))


def test_info_tells_what_the_file_says(tmp_path):
    path = make_video(
        tmp_path / "in.mp4",
        frames=30,
        rate=Fraction(30_000, 1001),
        pix_fmt="yuv420p10le",
        codec="libx265",
        color=PQ,
        sample_aspect_ratio=Fraction(4, 3),
        rotation=90,
        options={"chroma_sample_location": "topleft"},
    )
    info = read(path)[0].info
    assert (info.width, info.height, info.pixel_format, info.bit_depth) == (64, 48, "yuv420p10le", 10)
    assert (info.codec, info.container) == ("hevc", "mov,mp4,m4a,3gp,3g2,mj2")
    assert (info.time_base, info.average_rate) == (Fraction(1, 30_000), Fraction(30_000, 1001))
    assert (info.n_frames_claimed, info.duration_s) == (30, pytest.approx(1.001))
    color = info.color
    assert (color.range, color.space, color.primaries, color.trc, color.chroma_location) == (1, 9, 9, 16, "topleft")
    assert (info.color_range, info.sample_aspect_ratio, info.rotation_deg) == ("limited", Fraction(4, 3), 90)
    assert not info.is_interlaced


def test_full_range_is_told_from_limited(tmp_path):
    path = make_video(tmp_path / "in.mkv", pix_fmt="yuvj420p")
    assert read(path)[0].info.color_range == "full"
    path = make_video(tmp_path / "in.mkv", color=BT709)
    assert read(path)[0].info.color_range == "limited"


def test_interlaced_video_is_told(tmp_path):
    path = make_video(tmp_path / "in.mkv", options={"flags": "+ildct+ilme"})
    assert read(path)[0].info.is_interlaced


def test_the_quantiser_is_told_before_the_first_frame(tmp_path):
    flat = {"qp": "30", "bf": "0", "x264-params": "ipratio=1:aq-mode=0"}
    with open_source(make_video(tmp_path / "in.mp4", options=flat)) as source:
        assert (source.qp, source.n_frames) == (30, 0)
    params = {"x265-params": "log-level=none:qp=30:bframes=0:ipratio=1:aq-mode=0:cutree=0"}
    with open_source(make_video(tmp_path / "in.mkv", codec="libx265", options=params)) as source:
        assert source.qp == 30
    with open_source(make_video(tmp_path / "in.mkv", codec="ffv1")) as source:
        assert source.qp is None


def test_packed_formats_are_converted_and_that_is_said(tmp_path):
    path = make_video(tmp_path / "in.nut", codec="rawvideo", pix_fmt="yuyv422", frames=2)
    source, frames, _ = read(path)
    assert [frame.picture.format.name for frame in frames] == ["yuv422p", "yuv422p"]
    assert (source.info.decoded_format, source.info.pixel_format) == ("yuyv422", "yuv422p")
    assert source.notes == ["yuyv422 frames are converted to yuv422p to reach their luma"]


@pytest.mark.parametrize("ending, limit", [("mp4", 1), ("mkv", 13), ("ts", 50), ("mp4", 1000)])
def test_a_limit_ends_sound_with_the_last_frame(tmp_path, ending, limit):
    path = make_video(tmp_path / f"in.{ending}", frames=60, extras=Extras())
    source, frames, packets = read(path, limit=limit)
    assert len(frames) == source.n_frames == min(limit, 60)
    end_s = frames[-1].pts_s + frames[-1].duration_s
    expected = [time for time, _ in packets_of(path, "audio")[0] if limit > 60 or time < end_s]
    assert [packet.starts_s for packet in packets] == pytest.approx([float(time) for time in expected])
    assert source.truncated_note is None


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
@pytest.mark.parametrize("number", [20, 56, 58, 59])  # the later ones are in the decoder's threads when the file ends
def test_damage_is_counted_and_no_last_frame_gets_lost(tmp_path, threads, codec, number):
    path = make_video(tmp_path / "in.mp4", frames=60, codec=codec, options={"g": "15"})
    corrupt_packet(path, number)
    source, frames, _ = read(path, threads=threads)
    assert [frame.pts for frame in frames] == [shown.pts for shown in frames_of(path)]
    assert 50 < source.n_frames < 60
    assert source.n_damaged > 0


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_cut_in_the_middle_is_told_from_a_whole_one(tmp_path, ending, share):
    movflags = {} if ending == "mkv" else {"movflags": "faststart"}
    path = make_video(tmp_path / f"in.{ending}", frames=200, extras=Extras(), muxer_options=movflags)
    assert read(path)[0].truncated_note is None
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    source, frames, _ = read(path)
    assert [frame.pts for frame in frames] == [shown.pts for shown in frames_of(path)]
    assert source.truncated_note.startswith(f"the file ends early: {len(frames)} frames")
    assert "of the 8.0 s that its container promises" in source.truncated_note


def test_who_is_strict_gets_an_error_at_the_first_damage_and_none_without(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=60, options={"g": "15"})
    with open_source(path, is_strict=True) as source:
        assert sum(isinstance(item, Frame) for item in source.items()) == 60
    corrupt_packet(path, 20)
    with open_source(path, threads=1, is_strict=True) as source, pytest.raises(InputError, match=r"in\.mp4 is damaged"):
        list(source.items())
    assert 15 <= source.n_frames <= 21


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_who_is_strict_is_not_told_of_damage_behind_the_last_frame_asked_for(tmp_path, codec):
    path = make_video(tmp_path / "in.mp4", frames=30, codec=codec, options={"g": "15"})
    corrupt_packet(path, 20)
    for limit in (3, 10, 15):
        source, frames, _ = read(path, threads=4, limit=limit, is_strict=True)
        assert len(frames) == source.n_frames == limit
    with pytest.raises(InputError, match="is damaged"):
        read(path, threads=4, limit=25, is_strict=True)


def test_little_delay_neither_loses_nor_reorders_a_frame(tmp_path):
    for codec in ("libx264", "libx265", "mpeg2video"):
        path = make_video(tmp_path / f"{codec}.ts", frames=30, codec=codec, options={"bf": "2"})
        assert_frames_are_those_of(path, read(path, live=LiveInput(is_realtime=True))[1])


def test_a_part_cut_out_of_the_middle_is_whole(tmp_path):
    path = make_video(tmp_path / "in.mkv", pts_list=range(100, 130))
    assert read(path)[0].truncated_note is None


def test_who_is_strict_gets_an_error_where_the_file_ends_early(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=200, extras=Extras())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_source(path, is_strict=True) as source, pytest.raises(InputError, match="is not whole: the file ends"):
        list(source.items())


def test_sound_longer_than_the_picture_is_no_truncation(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=100, extras=Extras(audio_start=5 * 48_000))
    with opened(path) as container:
        assert container.duration > 8_000_000
    assert read(path)[0].truncated_note is None


def joined_sizes(folder):
    first = make_video(folder / "1.ts", frames=6)
    second = make_video(folder / "2.ts", frames=6, size=(96, 64))
    path = folder / "in.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes() + first.read_bytes())
    return path


def test_frames_of_another_size_are_scaled_to_the_first(tmp_path):
    source, frames, _ = read(joined_sizes(tmp_path))
    assert [(frame.picture.width, frame.picture.height) for frame in frames] == [(64, 48)] * 18
    assert [frame.number for frame in frames if frame.follows_gap] == [6, 12]
    assert "6 frames from frame 6 on are 96x64 yuv420p and were scaled to 64x48 yuv420p, like the first" in source.notes


def test_who_is_strict_has_a_change_of_size_named(tmp_path):
    path = joined_sizes(tmp_path)
    with pytest.raises(CvqeError, match="changes from 64x48 yuv420p to 96x64 yuv420p at frame 6") as caught:
        read(path, is_strict=True)
    assert "--frames 6" in str(caught.value)
    assert len(read(path, limit=6, is_strict=True)[1]) == 6


def test_frames_stay_valid_after_the_file_is_closed(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=3)
    with open_source(path) as source:
        frames = [item for item in source.items() if isinstance(item, Frame)]
    assert_frames_are_those_of(path, frames)


def test_a_gap_in_the_stamps_is_kept(tmp_path):
    path = make_video(tmp_path / "in.mkv", pts_list=[0, 1, 2, 500, 501], extras=SILENT)
    assert [frame.pts for frame in read(path)[1]] == [0, 40, 80, 20_000, 20_040]


def test_reading_does_not_depend_on_the_log_level(tmp_path):
    path = make_video(tmp_path / "in.mp4", options={"chroma_sample_location": "center"})
    before = av.logging.get_level()
    assert read(path)[0].info.color.chroma_location == "center"
    assert av.logging.get_level() == before


def test_alpha_and_chroma_come_through(tmp_path):
    path = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuva420p", size=(33, 17), frames=2)
    frames = read(path)[1]
    assert tuple(plane_bytes(frames[1].picture)) == tuple(plane_bytes(pattern(1, (33, 17), "yuva420p")))
