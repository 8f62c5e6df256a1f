"""The exit code of a run, and what a person reads of it."""

import json

import pytest

from cvqe.errors import ExitCode
from runtime.summary import Summary


def summary(**changes: object) -> Summary:
    done = Summary("in.mp4", "out.mp4", "libx264", "live", "openvino", "bf16", "asked for", 10, 10, elapsed_s=2.0)
    for name, value in changes.items():
        setattr(done, name, value)
    return done


@pytest.mark.parametrize(
    "changes, code",
    [
        ({}, ExitCode.DONE),
        ({"frames_fallen_back": 1}, ExitCode.FELL_BACK),
        ({"frames_fallen_back": 1, "truncated": "ends early"}, ExitCode.PARTIAL),
        ({"truncated": "ends early", "allows_partial": True}, ExitCode.DONE),
        ({"truncated": "ends early", "is_interrupted": True}, ExitCode.INTERRUPTED),
    ],
)
def test_the_worst_thing_that_happened_is_the_exit_code(changes, code):
    assert summary(**changes).exit_code == code
    assert json.loads(json.dumps(summary(**changes).as_dict()))["exit_code"] == int(code)


def test_nothing_that_was_counted_is_kept_from_the_reader():
    text = str(
        summary(
            frames_damaged=2,
            frames_fallen_back=3,
            timestamps_repaired=4,
            truncated="7 of 10",
            notes=["srt left out"],
            forced_past="it loses 0.07 dB",
            qp="QP 30 to 34, as the input says",
            guide="guide: transform units of 8 frames, a fixed 16x16 grid for 2 frames (damaged)",
        )
    )
    for words in (
        "2 packets",
        "3 frames came out",
        "4 time stamps",
        "partial: 7 of 10",
        "forced past the gate: it loses 0.07 dB",
        "srt left out",
        "QP 30 to 34",
        "a fixed 16x16 grid for 2 frames",
        "5.0 frames/s",
    ):
        assert words in text
