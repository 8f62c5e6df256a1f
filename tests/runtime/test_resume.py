"""Runs that are stopped, killed or fail, and the same command again with --resume."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from runtime.resume_record import n_frames_kept, record_path
from tests.media import SILENT, Extras, frames_of, make_video, packets_of
from tests.scenes import draw_scenes

STREAM = Path(__file__).resolve().parents[2] / "runtime" / "stream.py"
N_FRAMES = 100
SEGMENT = 8
SIZE = (64, 48)


def command(live_onnx: Path, source: Path, output: str, *more: str) -> list[str]:
    return [
        *(sys.executable, str(STREAM), str(source), "-o", output, "--model", str(live_onnx)),
        *("--segment", str(SEGMENT), "--json", *more),
    ]


def run(live_onnx, source, output, *more, cwd, check=0, **options):
    done = subprocess.run(
        command(live_onnx, source, output, *more), cwd=cwd, capture_output=True, text=True, timeout=120, **options
    )
    assert done.returncode == check, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def killed(live_onnx, source, output, *more, cwd, after_segments: int, number=signal.SIGKILL) -> None:
    """Start a run and end it when so many segments are kept, some milliseconds later."""
    process = subprocess.Popen(
        command(live_onnx, source, output, *more), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while n_frames_kept(cwd / output) < after_segments * SEGMENT and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)
    time.sleep(random.Random(after_segments).uniform(0, 0.03))
    process.send_signal(number)
    process.communicate(timeout=60)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Make a file with sound, a variable rate and a cut: all that a run which goes on has to get right again."""
    stamps = [3 * n + n % 2 for n in range(N_FRAMES)]
    path = tmp_path_factory.mktemp("resume") / "in.mp4"
    draw = draw_scenes((30, 41, 29))
    return make_video(path, pts_list=stamps, size=SIZE, time_base=Fraction(1, 75), extras=Extras(), draw=draw)


# constant quantisers: at constant quality x264 isn't repeatable to the bit, even with one thread
EXACT = {"ffv1": (), "libx264": ("--encoder-qp", "12"), "libx265": ("--encoder-qp", "12")}


@pytest.mark.parametrize(
    "encoder, ending", [("ffv1", "mkv"), ("libx264", "mp4"), ("libx265", "ts"), ("libx264", "mov")]
)
def test_a_killed_run_goes_on_as_if_nothing_had_been(live_onnx, source, tmp_path, encoder, ending):
    options = ("--encoder", encoder, *EXACT[encoder])
    whole = run(live_onnx, source, f"whole.{ending}", *options, cwd=tmp_path)
    output = f"out.{ending}"
    for after, more in ((2, ()), (4, ("--resume",)), (5, ("--resume",))):  # killed again while it goes on
        killed(live_onnx, source, output, *options, *more, cwd=tmp_path, after_segments=after)
        assert not (tmp_path / output).exists()
    summary = run(live_onnx, source, output, *options, "--resume", cwd=tmp_path)
    assert SEGMENT * 5 <= summary["frames_resumed"] < N_FRAMES
    for same in ("frames_in", "frames_out", "scene_cuts", "frames_damaged", "exit_code"):
        assert summary[same] == whole[same]
    assert frames_of(tmp_path / output) == frames_of(tmp_path / f"whole.{ending}")
    assert packets_of(tmp_path / output, "audio") == packets_of(tmp_path / f"whole.{ending}", "audio")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([output, f"whole.{ending}"])


def test_an_interrupted_run_leaves_a_playable_part_and_goes_on(live_onnx, source, tmp_path):
    killed(live_onnx, source, "out.mp4", cwd=tmp_path, after_segments=2, number=signal.SIGINT)
    n_part = len(frames_of(tmp_path / "out.partial.mp4"))
    assert n_part >= 2 * SEGMENT
    refusal = run(live_onnx, source, "out.mp4", cwd=tmp_path, check=2)
    assert f"{n_part // SEGMENT * SEGMENT} frames of out.mp4 are kept from a run that was stopped" in refusal
    summary = run(live_onnx, source, "out.mp4", "--resume", cwd=tmp_path)
    assert summary["frames_resumed"] == n_part // SEGMENT * SEGMENT
    assert [shown.time_s for shown in frames_of(tmp_path / "out.mp4")] == [shown.time_s for shown in frames_of(source)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_full_disk_keeps_what_is_done(live_onnx, tmp_path):
    """Stand in for a full disk by the largest file that a process may write: the output reaches it, no segment does."""
    source = make_video(tmp_path / "in.mkv", frames=N_FRAMES, size=(160, 120), extras=SILENT)
    whole = run(live_onnx, source, "whole.mkv", "--encoder", "ffv1", cwd=tmp_path)
    limit = (tmp_path / "whole.mkv").stat().st_size // 2

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    said = run(live_onnx, source, "out.mkv", "--encoder", "ffv1", cwd=tmp_path, check=1, preexec_fn=limited)
    assert "make room on the disk" in said and "frames are kept; to go on from there:  --resume" in said
    assert not list(tmp_path.glob("out*.mkv"))
    summary = run(live_onnx, source, "out.mkv", "--encoder", "ffv1", "--resume", cwd=tmp_path)
    assert 0 < summary["frames_resumed"] < N_FRAMES == summary["frames_out"] == whole["frames_out"]
    assert frames_of(tmp_path / "out.mkv") == frames_of(tmp_path / "whole.mkv")


def test_what_another_command_has_left_is_not_gone_on_with(live_onnx, source, tmp_path):
    killed(live_onnx, source, "out.mp4", cwd=tmp_path, after_segments=1)
    other = make_video(tmp_path / "other.mp4", frames=30)
    refusal = run(live_onnx, other, "out.mp4", "--resume", cwd=tmp_path, check=2)
    assert "is of a run with another input" in refusal
    assert "another quality" in run(live_onnx, source, "out.mp4", "--resume", "--crf", "30", cwd=tmp_path, check=2)
    assert n_frames_kept(tmp_path / "out.mp4") >= SEGMENT
    summary = run(live_onnx, other, "out.mp4", "--resume", "--overwrite", cwd=tmp_path)
    assert (summary["frames_resumed"], summary["frames_out"]) == (0, 30)
    assert not record_path(tmp_path / "out.mp4").exists()


def test_without_segments_nothing_is_kept(live_onnx, source, tmp_path):
    process = subprocess.Popen(
        command(live_onnx, source, "out.mkv", "--segment", "0", "--ahead", "1"), cwd=tmp_path, stdout=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while not (tmp_path / "out.partial.mkv").exists() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not record_path(tmp_path / "out.mkv").exists()


def test_resume_without_anything_to_go_on_with_begins(live_onnx, source, tmp_path):
    assert run(live_onnx, source, "out.mp4", "--resume", cwd=tmp_path)["frames_resumed"] == 0
    assert "out.mp4 exists" in run(live_onnx, source, "out.mp4", "--resume", cwd=tmp_path, check=2)
