"""stream.py as a user runs it: by path, in a process of its own, on files made here."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media import Extras, frames_of, make_video, opened, packets_of
from tests.quantised import save_pair
from tests.scenes import draw_scenes

ROOT = Path(__file__).resolve().parents[2]
STREAM = ROOT / "runtime" / "stream.py"


def stream(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(STREAM), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("stream") / "in file.mp4"
    return make_video(path, frames=14, size=(48, 32), extras=Extras(subtitles="mov_text", chapters=True))


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov", "ts"])
def test_frames_pts_and_audio_are_those_of_the_input(live_onnx, tmp_path, container):
    source = make_video(tmp_path / f"in.{container}", frames=11, size=(48, 32), extras=Extras())
    done = stream(source, "--model", live_onnx, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = tmp_path / f"in.enhanced.{container}"
    assert [frame.time_s for frame in frames_of(written)] == [frame.time_s for frame in frames_of(source)]
    sent, got = ([data for _, data in packets_of(path, "audio")[0]] for path in (source, written))
    assert got == sent


def test_variable_frame_rate_is_kept(live_onnx, tmp_path):
    pts = [0, 40, 41, 100, 350, 351, 352, 900]
    source = make_video(tmp_path / "vfr.mp4", pts_list=pts, time_base=Fraction(1, 1000), size=(48, 32))
    assert stream(source, "--model", live_onnx, "-o", "out.mp4", cwd=tmp_path).returncode == 0
    assert [frame.time_s for frame in frames_of(tmp_path / "out.mp4")] == [Fraction(n, 1000) for n in pts]


@pytest.mark.parametrize("size", [(2, 2), (34, 18), (33, 17)])  # libx264 refuses odd sizes in 4:2:0
def test_any_size_comes_out_at_its_own_size(live_onnx, tmp_path, size):
    source = make_video(tmp_path / "in.mkv", frames=3, size=size, codec="ffv1")
    done = stream(source, "--model", live_onnx, "-o", "out.mkv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [len(frame.planes[0]) for frame in frames_of(tmp_path / "out.mkv")] == [size[0] * size[1]] * 3
    with opened(tmp_path / "out.mkv") as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == size


def test_ten_bits_stay_ten_bits(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=4, size=(48, 32), codec="ffv1", pix_fmt="yuv420p10le")
    done = stream(source, "--model", live_onnx, "-o", "out.mkv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with opened(tmp_path / "out.mkv") as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p10le"


def test_json_holds_counts_and_both_gains(live_onnx, video, tmp_path):
    done = stream(video, "-o", "out.mkv", "--model", live_onnx, "--reference", video, "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] == 0
    assert report["frames_in"] == report["frames_out"] == 14
    assert report["gains_network"]["frames"] == report["gains_written"]["frames"] == 14
    # the input is its own reference here, so every change is a loss
    assert report["gains_written"]["delta_psnr_db"] < 0 and report["gains_network"]["delta_psnr_db"] < 0
    assert report["backend"] and report["precision"] and report["reason"]
    assert report["qp"].startswith("QP ") and report["qp"].endswith(", as the input says")


def test_a_qp_is_said_or_asked_for_and_a_guess_is_never_silent(live_onnx, tmp_path):
    make_video(tmp_path / "in.mkv", frames=4, size=(48, 32), codec="ffv1")
    guessed = stream("in.mkv", "--model", live_onnx, "-o", "guessed.mkv", cwd=tmp_path)
    assert guessed.returncode == 0, guessed.stderr
    assert guessed.stderr.count("live is told 34.5 instead") == 1  # between the QPs it was trained on, 32 and 37
    assert "  QP 34.5, a guess\n" in guessed.stdout
    assert "  the QP of 4 frames is not known" in guessed.stdout
    asked = stream("in.mkv", "--model", live_onnx, "-o", "asked.mkv", "--qp", 33, cwd=tmp_path)
    assert "QP 33, as asked for" in asked.stdout
    assert "is not known" not in asked.stdout + asked.stderr


def test_what_the_input_says_of_its_qp_changes_the_picture(live_onnx, tmp_path):
    params = "log-level=none:qp=37:bframes=0:ipratio=1:aq-mode=0:cutree=0"
    make_video(tmp_path / "in.mkv", frames=4, size=(48, 32), codec="libx265", options={"x265-params": params})
    for qp in ("auto", 37, 32, 22):
        arguments = ("in.mkv", "--model", live_onnx, "-o", f"{qp}.mkv", "--encoder", "ffv1", "--qp", qp)
        done = stream(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    auto, said, other, finer = (frames_of(tmp_path / f"{qp}.mkv") for qp in ("auto", 37, 32, 22))
    assert auto == said != other
    assert finer == other  # 22 is below all that it was trained on


def test_a_network_that_takes_no_qp_says_nothing_of_one(tgafnet_onnx, tmp_path):
    make_video(tmp_path / "in.mkv", frames=2, size=(32, 32), codec="ffv1")
    done = stream("in.mkv", "--model", tgafnet_onnx, "-o", "out.mkv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["qp"] is None
    assert "QP" not in done.stderr


def test_the_calibrated_version_runs_where_it_is_asked_for_and_says_what_it_was_forced_past(video, tmp_path):
    plain, _ = save_pair(tmp_path, forced=True, gate={"objections": ["it loses 0.07 dB"]})
    done = stream(video, "--model", plain, "--precision", "int8", "-o", "out.mp4", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["model"], told["precision"], told["forced_past"]) == ("small_int8", "int8", "it loses 0.07 dB")
    assert "in int8: " in done.stderr and "forced past the gate: it loses 0.07 dB" in done.stderr
    done = stream(video, "--model", plain, "-o", "out.mp4", "--overwrite", "--json", cwd=tmp_path)
    assert (told := json.loads(done.stdout))["model"] == "small" and told["forced_past"] is None


def test_scene_cuts_are_counted_and_told_unless_they_are_not_wanted(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=12, size=(160, 90), codec="ffv1", draw=draw_scenes((7, 5)))
    done = stream(source, "--model", live_onnx, cwd=tmp_path)
    assert done.returncode == 0 and "1 scene cut" in done.stdout, done.stderr
    for option, n_cuts in (("--scene-cuts", 1), ("--no-scene-cuts", 0)):
        done = stream(source, "--model", live_onnx, option, "--overwrite", "--json", cwd=tmp_path)
        assert json.loads(done.stdout)["scene_cuts"] == n_cuts


def test_frames_limits_the_run(live_onnx, video, tmp_path):
    assert stream(video, "-o", "out.mp4", "--model", live_onnx, "--frames", 5, cwd=tmp_path).returncode == 0
    assert len(frames_of(tmp_path / "out.mp4")) == 5


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (("gone.mp4",), 3, "gone.mp4"),
        (("text.mp4",), 3, "text.mp4"),
        (("VIDEO", "-o", "VIDEO"), 2, "is the input itself"),
        (("VIDEO", "-o", "there.mp4"), 2, "--overwrite"),
        (("VIDEO", "-o", "out.mp4", "--model", "nonesuch"), 2, "no network 'nonesuch'"),
        (("VIDEO", "-o", "out.mp4", "--backend", "abacus"), 2, "no backend 'abacus'"),
        (("VIDEO", "-o", "out.mp4", "--threads", "-1"), 2, "no whole number from 0 to 1024"),
        (("VIDEO", "-o", "out.mp4", "--frames", "0"), 2, "no whole number from 1 up"),
        (("VIDEO", "-o", "out.mp4", "--ahead", "0"), 2, "no whole number from 1 to 64"),
        (("VIDEO", "-o", "out.mp4", "--qp", "abc"), 2, "from 0 to 51, nor auto"),
        (("VIDEO", "-o", "out.mp4", "--crf", "-1"), 2, "no number from 0 to 63"),
        (("VIDEO", "-o", "kept.mp4"), 2, "kept.partial.mp4 exists"),
        (("VIDEO", "-o", "out.mp4", "--overwrite", "--reference", "out.mp4"), 3, "out.mp4"),
        (("kept.partial.mp4", "-o", "kept.mp4", "--overwrite"), 2, "is the input itself, under which kept.mp4"),
        (("VIDEO", "-o", "there.mp4", "--overwrite", "--reference", "there.mp4"), 2, "is the reference"),
        (("VIDEO", "-o", "out.mp4", "--crf", "20", "--encoder-qp", "20"), 2, "not allowed with"),
        (("VIDEO", "-o", "out.mp4", "--encoder", "libnone"), 1, "libnone"),
        (("VIDEO", "-o", "out.mp4", "--reference", "small.mkv"), 3, "very original"),
    ],
)
def test_mistakes_end_with_one_sentence_and_a_documented_code(live_onnx, video, tmp_path, arguments, code, words):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "there.mp4").write_text("precious")
    make_video(tmp_path / "small.mkv", frames=14, size=(16, 16), codec="ffv1")
    (tmp_path / "kept.partial.mp4").write_text("of an earlier run")
    before = sorted(tmp_path.iterdir())
    model = () if "--model" in arguments else ("--model", live_onnx)
    done = stream(*(str(video) if word == "VIDEO" else word for word in arguments), *model, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.mp4").read_text() == "precious"
    assert (tmp_path / "kept.partial.mp4").read_text() == "of an earlier run"


def is_idle(process: subprocess.Popen) -> bool:
    """Tell whether a process computes nothing for half a second: all that it could read is enhanced and written."""

    def ticks() -> int:
        return sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    before = ticks()
    time.sleep(0.5)
    return ticks() - before <= 2


def started(live_onnx: Path, *arguments: str, cwd: Path) -> subprocess.Popen:
    command = [sys.executable, str(STREAM), *arguments, "--model", str(live_onnx)]
    return subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_interrupt_ends_even_a_pipe_that_says_nothing_and_keeps_what_came(live_onnx, tmp_path, number):
    whole = make_video(tmp_path / "whole.mkv", frames=60, size=(48, 32), codec="ffv1").read_bytes()
    os.mkfifo(tmp_path / "pipe.mkv")
    process = started(live_onnx, "pipe.mkv", "-o", "out.mp4", cwd=tmp_path)
    with (tmp_path / "pipe.mkv").open("wb", buffering=0) as pipe:
        pipe.write(whole[: len(whole) * 3 // 4])  # then nothing
        wait_for(lambda: (tmp_path / "out.partial.mp4").exists() and is_idle(process))
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted, kept as out.partial.mp4" in out
    assert 0 < len(frames_of(tmp_path / "out.partial.mp4")) < 60


def test_a_second_interrupt_ends_even_a_reader_that_takes_nothing(live_onnx, tmp_path):
    make_video(tmp_path / "in.mkv", frames=400, size=(96, 64), codec="ffv1")
    os.mkfifo(tmp_path / "pipe.mkv")
    process = started(live_onnx, "in.mkv", "-o", "pipe.mkv", "--encoder", "ffv1", cwd=tmp_path)
    with (tmp_path / "pipe.mkv").open("rb", buffering=0) as pipe:
        pipe.read(1)  # and no more: the writer waits inside the muxer
        wait_for(lambda: is_idle(process))
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err


def test_an_interrupt_while_the_engine_opens_is_not_lost(live_onnx, tmp_path):
    make_video(tmp_path / "long.mkv", frames=3000, size=(64, 48), codec="ffv1")
    for delay_s in (0.3, 0.6, 0.9, 1.2):
        process = started(live_onnx, "long.mkv", "-o", "out.mp4", "--overwrite", cwd=tmp_path)
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (130, -signal.SIGINT), err  # the latter: before Python had begun with our code
        assert not (tmp_path / "out.mp4").exists()


def test_who_is_told_to_ignore_the_end_of_the_terminal_goes_on(live_onnx, tmp_path):
    make_video(tmp_path / "in.mkv", frames=300, size=(64, 48), codec="ffv1")
    command = ["nohup", sys.executable, str(STREAM), "in.mkv", "-o", "out.mp4", "--model", str(live_onnx)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / "out.partial.mp4").exists() or process.poll() is not None)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert len(frames_of(tmp_path / "out.mp4")) == 300


def test_a_truncated_file_is_partial(live_onnx, tmp_path):
    whole = make_video(tmp_path / "whole.mkv", frames=100, size=(48, 32), codec="libx264")
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = stream("cut.mkv", "--model", live_onnx, "-o", "out.mkv", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "partial" in done.stdout
    assert 0 < len(frames_of(tmp_path / "out.mkv")) < 100
    allowed = stream("cut.mkv", "--model", live_onnx, "-o", "allowed.mkv", "--allow-partial", cwd=tmp_path)
    assert allowed.returncode == 0 and "partial" in allowed.stdout
    strict = stream("cut.mkv", "--model", live_onnx, "-o", "strict.mkv", "--strict", cwd=tmp_path)
    assert strict.returncode == 3 and "cut.mkv is not whole" in strict.stderr
    assert not list(tmp_path.glob("strict*"))


def test_a_split_picture_is_decoded_on_the_left_and_enhanced_on_the_right(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=3, size=(48, 32), codec="ffv1")
    for name, more in (("split", ["--split"]), ("whole", [])):
        options = ["--model", live_onnx, "--encoder", "ffv1", "-o", f"{name}.mkv", *more]
        assert stream(source, *options, cwd=tmp_path).returncode == 0
    decoded, split, whole = (
        [np.frombuffer(frame.planes[0], np.uint8).reshape(32, 48) for frame in frames_of(path)]
        for path in (source, tmp_path / "split.mkv", tmp_path / "whole.mkv")
    )
    for before, both, after in zip(decoded, split, whole, strict=True):
        np.testing.assert_array_equal(both[:, :23], before[:, :23])
        np.testing.assert_array_equal(both[:, 25:], after[:, 25:])
        assert (both[:, 25:] != before[:, 25:]).any()


def test_one_interrupt_leaves_a_playable_partial_file(live_onnx, tmp_path):
    make_video(tmp_path / "long.mkv", frames=3000, size=(64, 48), codec="ffv1")
    process = started(live_onnx, "long.mkv", "-o", "out.mp4", cwd=tmp_path)
    wait_for((tmp_path / "out.partial.mp4").exists)
    time.sleep(1.0)  # some frames
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    n_kept = len(frames_of(tmp_path / "out.partial.mp4"))
    assert 0 < n_kept < 3000
    assert f"interrupted, kept as out.partial.mp4: {n_kept} of" in out
    assert not (tmp_path / "out.mp4").exists()


def wait_for(is_true, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
