from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sender_clock import DRIFT, SenderClock

PERIOD_S = 0.04


@dataclass(frozen=True)
class Sent:
    """What the clock looks at of a frame."""

    pts_s: float
    arrived_s: float
    follows_gap: bool = False


def ages(frames: list[Sent]) -> list[float]:
    """Return how long each frame had waited when it was read."""
    clock = SenderClock()
    return [frame.arrived_s - clock.due_s(frame) for frame in frames]


def test_frames_that_are_read_as_they_come_have_not_waited():
    assert ages([Sent(n * PERIOD_S, 100 + n * PERIOD_S) for n in range(50)]) == pytest.approx([0] * 50, abs=1e-9)


def test_what_waited_while_nobody_read_is_old_until_the_reader_has_caught_up():
    """Nobody reads for 2 s after the first frame; then 100 frames a second are read, of 25 that come."""
    read_s = [0.0]
    for n in range(1, 101):
        read_s.append(max(n * PERIOD_S, 2.0, read_s[-1] + 0.01))
    found = ages([Sent(n * PERIOD_S, 50 + at) for n, at in enumerate(read_s)])
    assert found[1] == pytest.approx(2.0 - PERIOD_S, abs=1e-3)
    assert found[-1] == pytest.approx(0.0, abs=1e-3)
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(found[1:]))


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=50))
def test_jitter_is_told_from_the_best_frame_so_far(delays):
    found = ages([Sent(n * PERIOD_S, n * PERIOD_S + delay) for n, delay in enumerate(delays)])
    for n, age in enumerate(found):
        assert 0 <= age <= delays[n] - min(delays[: n + 1]) + 1e-9


def test_a_sender_whose_clock_runs_slow_does_not_grow_old():
    hour = [Sent(t * (1 - DRIFT / 2), 1000.0 + t) for t in range(0, 36_000, 10)]
    assert max(ages(hour)) < 1e-3


def test_behind_a_gap_the_clock_begins_anew():
    before = [Sent(n * PERIOD_S, n * PERIOD_S) for n in range(5)]
    after = [Sent((5 + n) * PERIOD_S, 60 + n * PERIOD_S, follows_gap=n == 0) for n in range(5)]
    assert ages(before + after) == pytest.approx([0] * 10, abs=1e-9)
