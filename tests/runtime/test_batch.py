"""batch.py as a user runs it, on files made here."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvqe.errors import ExitCode
from runtime.batch_run import FileResult, worst
from tests.media import frames_of, make_video

BATCH = Path(__file__).resolve().parents[2] / "runtime" / "batch.py"


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(BATCH), *map(str, arguments)]


def batch(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=120)


def test_a_file_that_fails_does_not_stop_the_others_and_the_same_command_goes_on(live_onnx, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "c"):
        make_video(tmp_path / "in" / f"{name}.mkv", frames=3, size=(48, 32))
    (tmp_path / "in" / "b.mp4").write_bytes(b"no video at all")
    asked = ("in", "-o", "out", "--json", "--", "--model", live_onnx)
    first = batch(*asked, cwd=tmp_path)
    assert first.returncode == 3, first.stderr
    results = json.loads(first.stdout)
    assert [(each["source"], each["exit_code"], each["frames"]) for each in results] == [
        ("in/a.mkv", 0, 3),
        ("in/b.mp4", 3, 0),
        ("in/c.mkv", 0, 3),
    ]
    assert "b.mp4 is not a video that FFmpeg can read" in results[1]["outcome"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mkv", "c.mkv"]
    (tmp_path / "in" / "b.mp4").unlink()
    (tmp_path / "out" / "c.mkv").unlink()
    again = batch(*[word for word in asked if word != "--json"], cwd=tmp_path)
    assert again.returncode == 0 and "2 files: 1 done, 1 were there before" in again.stdout, again.stderr
    assert len(frames_of(tmp_path / "out" / "c.mkv")) == 3


def test_options_for_stream_are_checked_before_any_file_is_begun(tmp_path):
    make_video(tmp_path / "a.mkv", frames=2)
    done = batch("a.mkv", "--", "--crf", "no", cwd=tmp_path)
    assert done.returncode == 2 and "--crf" in done.stderr
    done = batch("a.mkv", "--", "-o", "b.mkv", cwd=tmp_path)
    assert done.returncode == 2 and "are for one file" in done.stderr
    done = batch("none*.mkv", cwd=tmp_path)
    assert done.returncode == 3 and done.stderr.startswith("batch: none*.mkv: no such file")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_a_folder_that_can_not_be_made_is_a_result_and_no_crash(tmp_path):
    make_video(tmp_path / "a.mkv", frames=2)
    (tmp_path / "file").touch()
    done = batch("a.mkv", "-o", "file", "--json", cwd=tmp_path)
    (result,) = json.loads(done.stdout)
    assert done.returncode == result["exit_code"] == 1 and "file" in result["outcome"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_finishes_what_is_under_way_and_begins_no_other(live_onnx, tmp_path, number):
    make_video(tmp_path / "a.mkv", frames=900, size=(320, 240))
    make_video(tmp_path / "b.mkv", frames=3, size=(48, 32))
    asked = ("a.mkv", "b.mkv", "-o", "out", "--", "--model", live_onnx, "--precision", "fp32")
    process = subprocess.Popen(command(*asked), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "out" / "a.partial.mkv"
    for _ in range(600):
        if partial.exists() and partial.stat().st_size > 100_000:
            break
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "2 files: 0 done, 1 with a problem, 1 not begun" in out and "interrupted, kept as out/a.partial.mkv" in out
    assert 0 < len(frames_of(partial)) < 900
    assert {path.name for path in (tmp_path / "out").iterdir()} <= {"a.partial.mkv", "a.mkv.resume"}


@pytest.mark.parametrize(
    "codes, code",
    [
        ([], ExitCode.DONE),
        ([0, 5], ExitCode.FELL_BACK),
        ([4, 5, 0], ExitCode.PARTIAL),
        ([3, 4], ExitCode.UNREADABLE_INPUT),
        ([3, -11], ExitCode.ERROR),
    ],
)
def test_the_worst_file_is_the_exit_code(codes, code):
    assert worst([FileResult("a", "b", each, "done") for each in codes]) == code
