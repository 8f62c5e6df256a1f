"""Damaged files end in an enhanced file or one sentence; fuzz_stream.py tries many more of them by hand."""

import json
from pathlib import Path

import pytest

from runtime.output_path import partial_path
from tests.media import make_video
from tests.runtime.fuzz_stream import LIMIT_S, fault, fuzz
from tests.runtime.stream_worker import Outcome, StreamWorker

SECONDS, ENOUGH_RUNS, MOST_RUNS = 14, 3, 40
LONG_RUNS = 1500


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.mkv"


def test_damaged_files_end_in_a_file_or_a_sentence(live_onnx, tmp_path):
    findings = fuzz(tmp_path, live_onnx, seed=3, runs=MOST_RUNS, seconds=SECONDS)
    assert findings.failures == []
    assert findings.runs >= ENOUGH_RUNS


@pytest.mark.slow
def test_many_damaged_files_end_in_a_file_or_a_sentence(live_onnx, tmp_path):
    findings = fuzz(tmp_path, live_onnx, seed=4, runs=LONG_RUNS, seconds=float("inf"))
    assert findings.failures == []
    assert {"0", "3"} <= findings.exit_codes.keys()


def summary(n_frames: int) -> str:
    return json.dumps({"frames_out": n_frames})


def test_the_judge_lets_pass_what_is_right(output):
    make_video(output, frames=5)
    assert fault(Outcome(0, summary(5), ""), output) is None
    output.unlink()
    assert fault(Outcome(3, "", "stream: in.mkv is empty\n"), output) is None


@pytest.mark.parametrize(
    "outcome, wrong",
    [
        (Outcome(0, summary(6), ""), "6 frames were written, 5 decode"),
        (Outcome(None, "", "Traceback (most recent call last):\n"), "an exception instead of a sentence"),
        (Outcome(1, "", "stream: the disk is full\n"), "exit code 1, but out.mkv is there"),
        (Outcome(77, "", ""), "exit code 77"),
        (Outcome(None, "", "", "hung"), "hung"),
    ],
)
def test_the_judge_says_what_is_wrong(output, outcome, wrong):
    make_video(output, frames=5)
    assert fault(outcome, output) == wrong


def test_the_judge_wants_one_sentence_and_no_partial_file(output):
    assert fault(Outcome(3, "", ""), output) == "0 sentences about one error"
    make_video(output, frames=5)
    partial_path(output).touch()
    assert fault(Outcome(0, summary(5), ""), output) == "a partial file stays"


def test_a_worker_outlives_bad_arguments_and_is_started_again_after_its_end(tmp_path):
    with StreamWorker(tmp_path) as worker:
        assert worker.run(["gone.mkv"], LIMIT_S).code == 3
        assert worker.run(["--no-such-option"], LIMIT_S).code == 2
        assert worker.run(["gone.mkv"], limit_s=0).ending == "hung"
        assert "gone.mkv: no such file" in worker.run(["gone.mkv"], LIMIT_S).stderr
