import itertools
import resource
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest

from cvqe.errors import CvqeError
from cvqe.frame import Frame, with_luma
from runtime.copied_packet import CopiedPacket
from runtime.decoder import open_source
from runtime.encoder import open_sink
from runtime.encoder_settings import EncoderOptions
from runtime.output_path import partial_path
from tests.media import (
    BT709,
    CAPTION,
    CHAPTERS,
    PQ,
    Color,
    Extras,
    add_captions,
    frames_of,
    make_video,
    opened,
    packets_of,
    pattern,
    png,
)

VARIABLE = [0, 7, 9, 30, 31, 60, 100, 101, 102, 140]  # hundredths of a second
ENDINGS = ["mp4", "mkv", "mov", "ts"]
LOSSLESS_X264 = {"qp": 0, "encoder": "libx264"}


@dataclass(frozen=True)
class Enhanced:
    path: Path
    encoder: str
    n_frames: int
    notes: list[str]


def enhance(path, output, **options):
    """Send every frame through with its own luma, as a network that changes nothing would."""
    with (
        open_source(path, threads=1) as source,
        open_sink(output, source, EncoderOptions(threads=1, **options)) as sink,
    ):
        for item in source.items():
            if isinstance(item, Frame):
                sink.write_frame(with_luma(item.picture, item.luma))
            else:
                sink.copy_packet(item)
        assert sink.close() == str(output)
    assert not partial_path(output).exists()
    return Enhanced(output, sink.encoder, sink.n_frames, sink.notes)


def stamps_of(path):
    return [shown.pts for shown in frames_of(path)]


def dispositions_of(path):
    with opened(path) as container:
        return [(stream.type, stream.language, stream.disposition) for stream in container.streams]


@pytest.mark.parametrize("b_frames", ["0", "2"])
@pytest.mark.parametrize("first", [0, 33, -10])
@pytest.mark.parametrize("ending", ENDINGS)
def test_frames_stamps_and_sound_of_a_variable_rate_come_out_as_they_went_in(tmp_path, ending, first, b_frames):
    stamps = [first + pts for pts in VARIABLE]
    path = make_video(
        tmp_path / f"in.{ending}",
        pts_list=stamps,
        time_base=Fraction(1, 100),
        options={"bf": b_frames},
        extras=Extras(n_audio_tracks=2),
    )
    sink = enhance(path, tmp_path / f"out.{ending}")
    shift_s = frames_of(sink.path)[0].time_s - frames_of(path)[0].time_s
    assert sink.n_frames == len(stamps_of(path))
    assert [shown.time_s - shift_s for shown in frames_of(sink.path)] == [shown.time_s for shown in frames_of(path)]
    for track, packets in packets_of(path, "audio").items():
        assert packets_of(sink.path, "audio")[track] == [(time_s + shift_s, data) for time_s, data in packets]
    # MPEG-TS knows no dts below zero: one that starts without room for B-frames moves as a whole
    assert shift_s == 0 or (ending == "ts" and b_frames == "0" and 0 < shift_s < 0.1)
    assert sink.notes == []


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("audio_start", [9600, -9600])
def test_sound_keeps_its_offset(tmp_path, ending, audio_start):
    path = make_video(tmp_path / f"in.{ending}", extras=Extras(audio_start=audio_start))
    sink = enhance(path, tmp_path / f"out.{ending}")
    assert stamps_of(sink.path) == stamps_of(path)
    assert packets_of(sink.path, "audio") == packets_of(path, "audio")


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_shortest_videos_are_whole(tmp_path, ending, frames):
    path = make_video(tmp_path / f"in.{ending}", frames=frames, extras=Extras())
    assert stamps_of(enhance(path, tmp_path / f"out.{ending}").path) == stamps_of(path)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30_000, 1001), Fraction(60)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_rate_clock_and_length_are_kept(tmp_path, ending, rate):
    path = make_video(tmp_path / f"in.{ending}", frames=20, rate=rate)
    with opened(path) as old, opened(enhance(path, tmp_path / f"out.{ending}").path) as new:
        for name in ("time_base", "average_rate", "start_time"):
            assert getattr(new.streams[0], name) == getattr(old.streams[0], name), name
        assert abs(new.duration - old.duration) <= 1000  # these files count milliseconds, in MP4 ours count finer


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "gray"])
def test_the_encoder_gets_every_plane_bit_for_bit(tmp_path, pix_fmt):
    path = make_video(tmp_path / "in.mkv", pix_fmt=pix_fmt)
    sink = enhance(path, tmp_path / "out.mkv", **LOSSLESS_X264)
    assert [shown.planes for shown in frames_of(sink.path)] == [shown.planes for shown in frames_of(path)]


@pytest.mark.parametrize("size", [(65, 63), (33, 17), (7, 5), (2, 2), (1, 1)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "gray", "yuva444p", "yuv440p"])
def test_any_size_and_format_comes_out_as_it_went_in(tmp_path, size, pix_fmt):
    path = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, size=size, frames=3)
    sink = enhance(path, tmp_path / "out.mkv")
    with opened(sink.path) as container:
        picture = next(container.decode(video=0))
        decoded_format = "yuv420p" if pix_fmt == "gray" else pix_fmt  # FFmpeg's H.264 decoder adds gray chroma
        assert (picture.width, picture.height, picture.format.name) == (*size, decoded_format)
    assert stamps_of(sink.path) == stamps_of(path)
    if sink.encoder == "ffv1":
        assert [shown.planes for shown in frames_of(sink.path)] == [shown.planes for shown in frames_of(path)]


def test_an_encoder_without_nv12_gets_its_samples_in_three_planes(tmp_path):
    path = make_video(tmp_path / "in.nut", codec="rawvideo", pix_fmt="nv12", size=(34, 18), frames=2)
    sink = enhance(path, tmp_path / "out.mkv", encoder="ffv1")
    luma, chroma = frames_of(path)[1].planes
    assert frames_of(sink.path)[1].planes == (luma, chroma[0::2], chroma[1::2])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "pix_fmt, color, location",
    [
        ("yuv420p", BT709, "left"),
        ("yuv420p", Color(range=2, space=5, primaries=5, trc=6), "center"),
        ("yuv420p10le", PQ, "topleft"),
    ],
)
def test_colour_tags_are_kept(tmp_path, ending, pix_fmt, color, location):
    path = make_video(
        tmp_path / f"in.{ending}",
        codec="libx264" if pix_fmt == "yuv420p" else "libx265",
        pix_fmt=pix_fmt,
        color=color,
        options={"chroma_sample_location": location},
        sample_aspect_ratio=Fraction(4, 3),
    )
    sink = enhance(path, tmp_path / f"out.{ending}")
    with open_source(path) as old, open_source(sink.path) as new:
        assert new.info.color == old.info.color
        assert new.info.color.chroma_location == location
        assert new.info.sample_aspect_ratio == Fraction(4, 3)


def test_hdr10_metadata_is_kept(tmp_path):
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    path = make_video(
        tmp_path / "in.mp4",
        codec="libx265",
        pix_fmt="yuv420p10le",
        color=PQ,
        options={"x265-params": f"log-level=none:master-display={display}:max-cll=1000,400"},
    )
    sink = enhance(path, tmp_path / "out.mp4")
    with open_source(sink.path) as source:
        assert (source.info.hdr10.master_display, source.info.hdr10.max_cll) == (display, "1000,400")
    assert "HDR10" in enhance(path, tmp_path / "out.mkv", encoder="ffv1").notes[0]


@pytest.mark.parametrize("rotation", [90, 180, -90])
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_rotation_is_kept_and_not_baked_in(tmp_path, ending, rotation):
    path = make_video(tmp_path / f"in.{ending}", rotation=rotation)
    sink = enhance(path, tmp_path / f"out.{ending}")
    with open_source(path) as old, open_source(sink.path) as new:
        assert new.info.display_matrix == old.info.display_matrix
        assert (new.info.rotation_deg % 360, new.info.width, new.info.height) == (rotation % 360, 64, 48)


def test_rotation_that_ts_can_not_hold_is_named(tmp_path):
    path = make_video(tmp_path / "in.mp4", rotation=90)
    assert "rotated by 90 degrees" in enhance(path, tmp_path / "out.ts").notes[0]


@pytest.mark.parametrize("codec, pix_fmt", [("libx264", "yuv420p"), ("libx265", "yuv420p10le")])
def test_captions_inside_the_pictures_are_kept(tmp_path, codec, pix_fmt):
    path = make_video(tmp_path / "in.h264", options={"aud": "1"})
    add_captions(path)
    sink = enhance(path, tmp_path / "out.mkv", encoder=codec)
    with opened(sink.path) as container:
        captions = [bytes(picture.side_data.get("A53_CC")) for picture in container.decode(video=0)]
    assert [caption[1:3] for caption in captions] == [CAPTION] * 10


@pytest.mark.parametrize(
    "ending, subtitles", [("mp4", "mov_text"), ("mov", "mov_text"), ("mkv", "subrip"), ("ts", None)]
)
def test_all_other_streams_and_tags_are_kept(tmp_path, ending, subtitles):
    path = make_video(
        tmp_path / f"in ü.{ending}",
        extras=Extras(
            n_audio_tracks=2,
            subtitles=subtitles,
            second_video=True,
            chapters=True,
            attachment=b"font" * 50 if ending == "mkv" else None,
            metadata={"title": "Ein Film ü", "artist": "Niemand"},
        ),
        options={"bf": "2"},
    )
    sink = enhance(path, tmp_path / f"out ü.{ending}")
    assert dispositions_of(sink.path) == dispositions_of(path)
    for kind in ("audio", "subtitle"):
        assert packets_of(sink.path, kind) == packets_of(path, kind)
    assert packets_of(sink.path, "video")[1] == packets_of(path, "video")[1]
    assert sink.notes == []
    with opened(path) as old, opened(sink.path) as new:
        assert [each["metadata"] for each in new.chapters()] == [each["metadata"] for each in old.chapters()]
        assert [each["metadata"] for each in new.chapters()] == (
            [each["metadata"] for each in CHAPTERS] if ending != "ts" else []
        )
        assert new.metadata.get("title") == old.metadata.get("title")
        assert new.streams.attachments == () or new.streams.attachments[0].data == b"font" * 50


@pytest.mark.parametrize("source, target", [("mp4", "mp4"), ("mkv", "mkv"), ("mp4", "mkv")])
def test_a_cover_is_kept_as_its_container_does(tmp_path, source, target):
    path = make_video(tmp_path / f"in.{source}", extras=Extras(cover=True))
    sink = enhance(path, tmp_path / f"out.{target}")
    with opened(sink.path) as container:
        cover = next(stream for stream in container.streams if stream.disposition & av.stream.Disposition.attached_pic)
        packet = next(packet for packet in container.demux(cover) if packet.size)
        assert bytes(packet) == png()
        assert cover.codec_context.name == "png"
    assert sink.notes == []


def test_what_a_container_can_not_hold_is_named_and_matroska_holds_it(tmp_path):
    path = make_video(tmp_path / "in.mkv", extras=Extras(subtitles="subrip", attachment=b"font"))
    sink = enhance(path, tmp_path / "out.mp4")
    assert sink.notes == [
        "stream 2 (subrip, subtitle) doesn't fit in .mp4 and is left out; to keep it:  -o out.mkv",
        "stream 3 (unknown codec, attachment) doesn't fit in .mp4 and is left out; to keep it:  -o out.mkv",
    ]
    assert packets_of(sink.path, "audio").keys() == {0}
    assert enhance(path, tmp_path / "out.mkv").notes == []


def test_a_packet_that_can_not_be_written_costs_no_more_than_itself(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=30, extras=Extras())
    n_packets = len(packets_of(path, "audio")[0])
    with open_source(path, threads=1) as source, open_sink(tmp_path / "out.ts", source) as sink:
        for item in source.items():
            if isinstance(item, Frame):
                sink.write_frame(item.picture)
            elif 0.4 < item.starts_s < 0.42:  # MPEG-TS can't wrap a single byte
                short = av.Packet(b"x")
                short.pts, short.dts, short.time_base = item.packet.pts, item.packet.dts, item.packet.time_base
                sink.copy_packet(CopiedPacket(item.stream_index, short))
            else:
                sink.copy_packet(item)
        sink.close()
    assert sink.notes == ["1 damaged packets of copied streams couldn't be written: left out"]
    assert len(frames_of(tmp_path / "out.ts")) == 30
    assert len(packets_of(tmp_path / "out.ts", "audio")[0]) == n_packets - 1


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_first_frames_take_only_their_chapters(tmp_path, ending):
    path = make_video(tmp_path / f"in.{ending}", extras=Extras(chapters=True))
    with open_source(path, limit=4) as source, open_sink(tmp_path / f"out.{ending}", source) as sink:
        for item in source.items():
            sink.write_frame(item.picture) if isinstance(item, Frame) else sink.copy_packet(item)
        sink.close()
    with opened(tmp_path / f"out.{ending}") as container:
        assert [(each["metadata"]["title"], each["end"] * each["time_base"]) for each in container.chapters()] == [
            ("Beginning", Fraction(4, 25))
        ]
        assert container.duration < 200_000


def test_apple_tags_are_kept(tmp_path):
    metadata = {"com.apple.quicktime.make": "Apple", "title": "x"}
    path = make_video(
        tmp_path / "in.mov", extras=Extras(metadata=metadata), muxer_options={"movflags": "use_metadata_tags"}
    )
    with opened(enhance(path, tmp_path / "out.mov").path) as container:
        assert metadata.items() <= container.metadata.items()


def test_a_timecode_is_kept(tmp_path):
    path = tmp_path / "in.mov"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height = 64, 48
        video.metadata["timecode"] = "01:00:00:00"
        picture = pattern(0, (64, 48), "yuv420p")
        picture.pts = 0
        container.mux(video.encode(picture))
        container.mux(video.encode(None))
    sink = enhance(path, tmp_path / "out.mov")
    with opened(sink.path) as container:
        assert container.streams[0].metadata["timecode"] == "01:00:00:00"
        assert len(container.streams) == 2
    assert sink.notes == []


def test_a_joined_recording_plays_on_with_its_sound(tmp_path):
    path = make_video(tmp_path / "in.ts", frames=30, extras=Extras())
    path.write_bytes(path.read_bytes() * 2)
    sink = enhance(path, tmp_path / "out.ts")
    stamps = stamps_of(sink.path)
    assert {later - earlier for earlier, later in itertools.pairwise(stamps)} == {3600}
    assert len(packets_of(sink.path, "audio")[0]) == 2 * len(
        packets_of(make_video(path, frames=30, extras=Extras()), "audio")[0]
    )


def test_hevc_in_mp4_has_the_tag_that_apple_plays(tmp_path):
    path = make_video(tmp_path / "in.mp4", codec="libx265", pix_fmt="yuv420p10le")
    with opened(enhance(path, tmp_path / "out.mp4").path) as container:
        assert container.streams[0].codec_context.codec_tag == "hvc1"


def test_statistics_about_the_old_bytes_are_dropped(tmp_path):
    path = make_video(tmp_path / "in.mkv")
    with opened(path) as container, av.open(str(tmp_path / "tagged.mkv"), "w") as tagged:
        stream = tagged.add_stream_from_template(container.streams[0], opaque=True)
        stream.metadata.update({"BPS": "12345", "NUMBER_OF_FRAMES-eng": "9", "title": "Angle 1"})
        for packet in container.demux():
            if packet.size:
                packet.stream = stream
                tagged.mux(packet)
    with opened(enhance(tmp_path / "tagged.mkv", tmp_path / "out.mkv").path) as container:
        assert container.streams[0].metadata.get("title") == "Angle 1"
        assert not {"BPS", "NUMBER_OF_FRAMES-eng"} & container.streams[0].metadata.keys()


def interrupted(path, output, after, end):
    with open_source(path, threads=1) as source, open_sink(output, source) as sink:
        for item in source.items():
            if isinstance(item, Frame):
                if item.number == after:
                    return end(sink)
                sink.write_frame(item.picture)
            else:
                sink.copy_packet(item)
    raise AssertionError("the end came first")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interrupted_file_plays_up_to_there_under_its_partial_name(tmp_path, ending):
    path = make_video(tmp_path / f"in.{ending}", frames=20, extras=Extras())
    output = tmp_path / f"better.{ending}"
    assert interrupted(path, output, 12, lambda sink: sink.finish_partial()) == str(partial_path(output))
    assert stamps_of(partial_path(output)) == stamps_of(path)[:12]
    assert not output.exists()


def test_nothing_is_left_of_a_file_without_frames(tmp_path):
    path = make_video(tmp_path / "in.mp4")
    assert interrupted(path, tmp_path / "out.mp4", 0, lambda sink: sink.finish_partial()) is None
    assert sorted(tmp_path.iterdir()) == [path]


def test_an_error_leaves_nothing_and_spares_the_old_file(tmp_path):
    path = make_video(tmp_path / "in.mp4")
    output = tmp_path / "out.mp4"
    output.write_text("old")

    def fail(sink):
        raise RuntimeError("engine")

    with pytest.raises(RuntimeError, match="engine"):
        interrupted(path, output, 5, fail)
    assert output.read_text() == "old"
    assert not partial_path(output).exists()


def test_the_old_file_is_replaced_at_the_end_only(tmp_path):
    path = make_video(tmp_path / "in.mp4")
    (tmp_path / "out.mp4").write_text("old")
    assert stamps_of(enhance(path, tmp_path / "out.mp4").path) == stamps_of(path)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=60, size=(160, 120))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(CvqeError, match=r"writing failed \(File too large\); make room on the disk"):
            enhance(path, tmp_path / "out.mkv", crf=1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_folder_that_went_away_is_an_error(tmp_path):
    path = make_video(tmp_path / "in.mp4")
    with pytest.raises(CvqeError, match="can't be written"):
        enhance(path, tmp_path / "gone" / "out.mp4")


def test_two_runs_do_not_write_one_file(tmp_path):
    source = make_video(tmp_path / "in.mp4", frames=3)
    with (
        open_source(source) as opened,
        open_sink(tmp_path / "out.mp4", opened),
        pytest.raises(CvqeError, match="another run is writing to"),
    ):
        open_sink(tmp_path / "out.mp4", opened)
    with open_source(source) as opened, open_sink(tmp_path / "out.mp4", opened):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_the_users_encoder_is_used(tmp_path):
    path = make_video(tmp_path / "in.mp4")
    sink = enhance(path, tmp_path / "out.mp4", encoder="libx265", crf=20.0, preset="ultrafast")
    with opened(sink.path) as container:
        assert container.streams[0].codec_context.name == "hevc"
    assert (sink.encoder, sink.notes) == ("libx265", [])
