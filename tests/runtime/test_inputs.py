"""Inputs that break video tools, given to stream.py's command line; docs/inputs.md names the tests of all of them."""

import json
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from av.stream import Disposition

from runtime.available_memory import available_bytes
from runtime.model_file import WEIGHTS
from tests.engines import save_engine
from tests.media import Extras, add_dolby_vision, corrupt_packet, frames_of, make_video, packets_of
from tests.runtime.stream_worker import StreamWorker

SHIPPED = WEIGHTS / "live.onnx"
LIMIT_S = 60.0  # a file takes a fifth of a second
QUICK = ("--backend", "onnxruntime", "--threads", "1", "--json")
LOSSLESS = ("--encoder", "ffv1")
HUGE = (16_000, 16_000)
HUGE_BYTES = 200e9  # mganet_slim takes 290 GB for that
WITHOUT_CUTREE = "log-level=none:cutree=0"  # with it x265 4.2 damages its heap on the smallest pictures
CENC = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with StreamWorker(tmp_path_factory.mktemp("worker")) as worker:
        yield worker


@pytest.fixture
def run(worker, tmp_path):
    """Run stream.py; gives its summary, or where it wrote no file what it said."""

    def run(source, output="out.mkv", *options, code=0):
        words = (source, "-o", tmp_path / output, *QUICK, *options)
        outcome = worker.run([str(word) for word in words], LIMIT_S)
        assert outcome.code == code, outcome.ending or outcome.stderr
        return json.loads(outcome.stdout) if outcome.stdout else outcome.stderr

    return run


@pytest.fixture
def refuse(run, tmp_path):
    """Run stream.py on what it refuses; gives what it said, once nothing is left of a file."""

    def refuse(source, *options, code, output="out.mkv"):
        before = sorted(tmp_path.iterdir())
        said = run(source, output, *options, code=code)
        assert sum(line.startswith("stream: ") for line in said.splitlines()) == 1
        assert sorted(tmp_path.iterdir()) == before
        return said

    return refuse


def times_of(path):
    return [frame.time_s for frame in frames_of(path)]


def chroma_of(path):
    return [frame.planes[1:] for frame in frames_of(path)]


def sound(path, with_cover=False):
    """Copy all but the video out of a file that has one."""
    whole = make_video(path.with_name("whole.mp4"), frames=3, extras=Extras(cover=with_cover))
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        _, *others = source.streams
        copies = {each.index: target.add_stream_from_template(each, opaque=True) for each in others}
        for each in others:
            copies[each.index].disposition = each.disposition
        for packet in source.demux(others):
            if packet.size:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)


NO_VIDEOS = {
    "is a folder": Path.mkdir,
    "is empty (0 bytes)": Path.touch,
    "is not a video that FFmpeg can read": lambda path: path.write_text("Dear diary,\ntoday\n" * 50),
    "no moov atom": lambda path: path.write_bytes(make_video(path, frames=30).read_bytes()[:-1500]),
    "has no video stream (it holds audio)": sound,
    "has no video stream (it holds audio and cover art)": lambda path: sound(path, with_cover=True),
}


@pytest.mark.parametrize("words", NO_VIDEOS)
def test_what_is_no_video_is_one_sentence_and_leaves_nothing(refuse, tmp_path, words):
    path = tmp_path / "in.mp4"
    NO_VIDEOS[words](path)
    assert words in refuse(path, code=3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_one_sentence(refuse, tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=1)
    path.chmod(0)
    assert f"chmod u+r {path}" in refuse(path, code=3)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_an_encrypted_video_is_an_error_and_no_empty_success(refuse, tmp_path, codec):
    path = make_video(tmp_path / "in.mp4", codec=codec, muxer_options=CENC)
    assert "in.mp4 is encrypted; a video that plays without a key was expected" in refuse(path, code=3)


def test_damaged_packets_are_concealed_and_counted_unless_strict(run, refuse, tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=60, options={"g": "15"})
    corrupt_packet(path, 20)
    assert "in.mp4 is damaged" in refuse(path, "--strict", code=3)
    summary = run(path)
    assert summary["frames_damaged"] > 0
    assert times_of(tmp_path / "out.mkv") == times_of(path)


@pytest.mark.parametrize(
    "size, pix_fmt, encoder",
    [((8, 8), "yuv420p10le", "libsvtav1"), ((33, 17), "yuv420p", "libsvtav1"), ((1, 1), "yuv420p", "ffv1")],
)
def test_a_size_that_the_usual_encoder_refuses_is_written_by_another_and_that_is_said(
    run, tmp_path, size, pix_fmt, encoder
):
    summary = run(make_video(tmp_path / "in.mkv", frames=3, size=size, codec="ffv1", pix_fmt=pix_fmt))
    assert any(f"{encoder} is used instead" in note for note in summary["notes"])
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [(frame.width, frame.height) for frame in container.decode(video=0)] == [size] * 3


@pytest.mark.skipif(not 0 < (available_bytes() or 0) < HUGE_BYTES, reason="it would fit, or nobody knows")
def test_a_picture_larger_than_memory_is_refused_by_what_its_container_says(refuse, tmp_path):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:  # no decoder could make a picture of this packet
        video = container.add_mux_stream("mpeg4", width=HUGE[0], height=HUGE[1])
        packet = av.Packet(bytes(100))
        packet.stream, packet.pts, packet.dts, packet.time_base = video, 0, 0, Fraction(1, 25)
        container.mux(packet)
    said = refuse(path, "--model", "mganet_slim_ai", code=1)
    assert "in.mkv is 16000x16000" in said and "GB are free" in said and "--no-memory-check" in said


@pytest.mark.parametrize(
    "codec, then",
    [
        ("libx264", {"size": (96, 64)}),
        ("libx264", {"pix_fmt": "yuv422p"}),
        ("libx265", {"pix_fmt": "yuv420p10le"}),
    ],
)
def test_a_change_on_the_way_is_undone_and_said_unless_strict(run, refuse, tmp_path, codec, then):
    parts = [
        make_video(tmp_path / "first.ts", codec=codec, frames=6),
        make_video(tmp_path / "then.ts", codec=codec, pts_list=range(20, 26), **then),
    ]
    path = tmp_path / "in.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert "in.ts changes from 64x48 yuv420p to" in refuse(path, "--strict", code=1)
    assert "like the first" in run(path)["notes"][0]
    with av.open(str(tmp_path / "out.mkv")) as container:
        formats = [(frame.width, frame.height, frame.format.name) for frame in container.decode(video=0)]
    assert formats == 12 * [(64, 48, "yuv420p")]


def test_time_stamps_that_go_back_are_repaired_and_counted(run, tmp_path):
    path = make_video(tmp_path / "in.mkv", codec="ffv1", frames=10)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:  # a block's time is the second and third byte of it
        times = [slice(packet.pos + 1, packet.pos + 3) for packet in container.demux(video=0) if packet.size]
    data[times[4]], data[times[6]] = data[times[6]], data[times[4]]
    path.write_bytes(data)
    assert times_of(path)[4:7] == [Fraction(6, 25), Fraction(5, 25), Fraction(4, 25)]
    assert run(path)["timestamps_repaired"] == 2
    written = times_of(tmp_path / "out.mkv")
    assert written == sorted(set(written)) and len(written) == 10


@pytest.mark.parametrize("ending", ["h264", "avi"])
def test_a_video_without_time_stamps_is_counted_by_its_rate(run, tmp_path, ending):
    path = make_video(tmp_path / f"in.{ending}", frames=9, options={"bf": "2"})
    assert run(path)["frames_out"] == 9
    first, *others = times_of(tmp_path / "out.mkv")
    assert others == [first + Fraction(number, 25) for number in range(1, 9)]


def test_what_an_edit_list_hides_stays_hidden_and_sound_keeps_its_place(run, tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=20, options={"bf": "2"}, extras=Extras())
    hide_first_frames(path, 5)
    assert len(frames_of(path)) == 15
    run(path, "out.mp4")
    assert times_of(tmp_path / "out.mp4") == times_of(path)
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(path, "audio")


def hide_first_frames(path, n_frames):
    """Let the edit list of an MP4's first track begin later: 4 bytes length in 1/1000 s, 4 bytes start in its clock."""
    with av.open(str(path)) as container:
        ticks = round(Fraction(n_frames, 25) / container.streams.video[0].time_base)
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 12
    for start, change in ((place, -40 * n_frames), (place + 4, ticks)):
        value = int.from_bytes(data[start : start + 4], "big") + change
        data[start : start + 4] = value.to_bytes(4, "big")
    path.write_bytes(data)


FORMATS = ["yuv422p", "yuv444p", "gray", "yuva420p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray10le"]


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_luma_is_enhanced_at_its_own_depth_and_all_other_planes_are_untouched(run, tmp_path, pix_fmt):
    path = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=3)
    run(path, "out.mkv", *LOSSLESS)
    assert chroma_of(tmp_path / "out.mkv") == chroma_of(path)
    assert [frame.planes[0] for frame in frames_of(tmp_path / "out.mkv")] != [
        frame.planes[0] for frame in frames_of(path)
    ]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == pix_fmt


def test_dolby_vision_that_has_colors_of_its_own_is_refused(refuse, tmp_path):
    path = make_video(tmp_path / "in.mp4", codec="libx265", pix_fmt="yuv420p10le", frames=3)
    add_dolby_vision(path, profile=5, compatibility=0)
    assert "is Dolby Vision of profile 5" in refuse(path, code=3)


@pytest.mark.parametrize(
    "codec, size, pix_fmt",
    [("libx265", (36, 22), "yuv420p"), ("libx265", (35, 21), "yuv444p"), ("libx264", (35, 21), "yuv444p")],
)
def test_rows_and_columns_that_the_coder_has_added_stay_hidden(run, tmp_path, codec, size, pix_fmt):
    params = {"x265-params": WITHOUT_CUTREE} if codec == "libx265" else {}
    path = make_video(tmp_path / "in.mkv", codec=codec, size=size, pix_fmt=pix_fmt, frames=3, options=params)
    run(path, "out.mkv", *LOSSLESS)
    assert [len(frame.planes[0]) for frame in frames_of(tmp_path / "out.mkv")] == [size[0] * size[1]] * 3
    assert chroma_of(tmp_path / "out.mkv") == chroma_of(path)


def test_interlaced_video_is_told_and_stays_so(run, tmp_path):
    summary = run(make_video(tmp_path / "in.mkv", fields="tff", frames=6))
    assert "the input is interlaced: its fields were enhanced apart" in summary["notes"]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [frame.interlaced_frame for frame in container.decode(video=0)] == [True] * 6


def test_pictures_before_the_start_of_an_open_gop_are_left_out_and_counted(run, tmp_path):
    open_gop = "keyint=16:min-keyint=16:bframes=3:b-adapt=0:open-gop=1:scenecut=0:repeat-headers=1"
    options = {"x265-params": f"log-level=none:{open_gop}"}
    whole = make_video(tmp_path / "whole.hevc", codec="libx265", frames=48, options=options)
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    second = [number for number, packet in enumerate(packets) if packet.is_keyframe][1]
    (tmp_path / "in.hevc").write_bytes(b"".join(map(bytes, packets[second:])))
    summary = run(tmp_path / "in.hevc")
    assert (summary["leading_lost"], summary["frames_out"]) == (3, len(packets) - second - 3)


def test_the_default_video_is_enhanced_and_the_other_one_copied(run, tmp_path):
    path = make_video(tmp_path / "in.mkv", extras=Extras(second_video=True, second_is_default=True))
    assert run(path)["frames_out"] == 5  # of the second
    first, second = (packets_of(each, "video") for each in (path, tmp_path / "out.mkv"))
    assert second[0] == first[0] and second[1] != first[1]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [bool(each.disposition & Disposition.default) for each in container.streams.video] == [False, True]


def test_what_the_container_can_not_hold_is_named_with_its_index(run, tmp_path):
    path = make_video(tmp_path / "in.mkv", extras=Extras(subtitles="subrip", attachment=b"font"))
    summary = run(path, "out.mp4")
    assert summary["streams_left_out"] == [2, 3]
    assert "stream 2 (subrip, subtitle) doesn't fit in .mp4 and is left out; to keep it:" in summary["notes"][0]


def test_any_path_will_do(run, tmp_path):
    folder = tmp_path / ("mit Leer zeichen " + "ü" * 80) / ("映像 " + "x" * 150)
    folder.mkdir(parents=True)
    source = make_video(folder / "in 100%d.mp4", frames=3)
    run(source, folder / "out :1.mp4")
    assert times_of(folder / "out :1.mp4") == times_of(source)


@pytest.mark.parametrize("folder, words", [("gone", "mkdir -p"), ("/proc/self/task", "can't be written to")])
def test_a_folder_that_takes_no_file_is_said_before_any_work(refuse, tmp_path, folder, words):
    path = make_video(tmp_path / "in.mp4", frames=3)
    said = refuse(path, code=1, output=f"{folder}/out.mp4")
    assert words in said and "onnxruntime" not in said  # nothing was chosen, let alone run


def test_a_frame_that_comes_out_as_nan_stays_as_decoded_and_the_exit_code_says_so(run, tmp_path):
    model = onnx.load(SHIPPED)
    bias = next(each for each in model.graph.initializer if each.name == "tail.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full_like(onnx.numpy_helper.to_array(bias), np.nan), bias.name))
    onnx.save(model, tmp_path / "nan.onnx")
    path = make_video(tmp_path / "in.mkv", codec="ffv1", frames=3)
    summary = run(path, "out.mkv", *LOSSLESS, "--model", tmp_path / "nan.onnx", code=5)
    assert summary["frames_fallen_back"] == 3
    assert frames_of(tmp_path / "out.mkv") == frames_of(path)


@pytest.mark.parametrize("has_manifest, words", [(True, "is damaged or another engine"), (False, "has no manifest")])
def test_an_engine_that_is_not_whole_is_refused_with_the_command_that_builds_it(refuse, tmp_path, has_manifest, words):
    path, engine = make_video(tmp_path / "in.mp4", frames=3), tmp_path / "m.engine"
    if has_manifest:
        save_engine(engine)
    engine.write_bytes(b"garbage")
    said = refuse(path, "--model", engine, "--backend", "auto", code=1)
    assert words in said
    assert "python export/build_engine.py --onnx=" in said


def renamed_input(model):
    model.graph.input[0].name = "frames"


def without_metadata(model):
    del model.metadata_props[:]


@pytest.mark.parametrize(
    "change, words",
    [
        (renamed_input, "takes ['frames', 'qp'] and gives ['enhanced', 'enhanced_mean']; 'window' and 'qp'"),
        (without_metadata, "carries no cvqe metadata"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_what_was_expected(refuse, tmp_path, change, words):
    path, model = make_video(tmp_path / "in.mp4", frames=3), onnx.load(SHIPPED)
    change(model)
    onnx.save(model, tmp_path / "odd.onnx")
    assert words in refuse(path, "--model", tmp_path / "odd.onnx", code=1)


def test_an_encoder_of_a_gpu_that_is_not_here_is_refused_with_another(refuse, tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=3)  # too small for the encoder of any GPU
    assert "h264_nvenc refuses 64x48 yuv420p. Leave --encoder out" in refuse(path, "--encoder", "h264_nvenc", code=1)
