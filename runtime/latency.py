"""Keeping up with a live source: how old frames are when they are written, and which are passed on as they came.

    packet due -> read -> decoded -> window complete -> computed -> encoded, muxed
    |<------------------ skips()? --------------->|                                   see_written()

A frame whose result would come later than the budget allows isn't enhanced: the picture goes on, less good, in time.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from threading import Lock
from typing import Any

from cvqe.frame import Frame
from runtime.sender_clock import SenderClock

BIN_MS = 1  # ages are counted, not listed: a live run has no end
OLDEST_MS = 60_000
LOOK_S = 0.05  # how often a wait looks whether the run is over
# how much an enhanced frame moves the estimate; and how it falls while none is, so that it is tried again
NEW_SHARE, FORGOTTEN_SHARE = 0.2, 0.02


@dataclass
class Ages:
    """Ages of frames when they were written."""

    counts: Counter[int] = field(default_factory=Counter)
    n_behind: Counter[int] = field(default_factory=Counter)

    def see(self, age_s: float, n_behind: int) -> None:
        """Count a frame, and how many had been decoded after it by then."""
        self.counts[min(int(age_s * 1000 / BIN_MS), OLDEST_MS)] += 1
        self.n_behind[n_behind] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return median, 95th percentile and largest age in milliseconds, and the median in frames."""
        shares = {"median_ms": 0.5, "p95_ms": 0.95, "max_ms": 1.0}
        ages = {name: _quantile(self.counts, share) * BIN_MS for name, share in shares.items()}
        return {**ages, "median_frames": _quantile(self.n_behind, 0.5)}


def _quantile(counts: Counter[int], share: float) -> int:
    n_left = ceil(share * counts.total())
    for value in sorted(counts):
        n_left -= counts[value]
        if n_left <= 0:
            return value
    return 0


class Latency:
    """One run's latency: measured, and with a budget kept.

    Attributes:
        n_skipped: frames that were not enhanced, to keep up.
    """

    def __init__(self, budget_s: float | None = None, is_paced: bool = False, is_live: bool = False) -> None:
        """Prepare for a run.

        Args:
            budget_s: from a frame's packet to its place in the output; None: whatever it takes.
            is_paced: hold frames back until they are due by their own time stamps, as a camera would send them.
            is_live: frames come when they are due, and wait unread where they are not taken.
        """
        self.ages = Ages()
        self.n_skipped = 0
        self._budget_s, self._is_paced = budget_s, is_paced
        self._remaining_s = 0.0  # from a frame's beginning to be enhanced to its place in the output
        self._start_s: float | None = None
        self._clock = SenderClock() if is_live else None
        self._lock = Lock()

    @property
    def has_budget(self) -> bool:
        """Whether frames are passed on as they came when there is no time left."""
        return self._budget_s is not None

    def due(self, frame: Frame, is_over: Callable[[], bool]) -> Frame:
        """Return a frame that arrived when it was due; waits for that where frames are paced, as long as the run."""
        if self._clock:
            return replace(frame, arrived_s=self._clock.due_s(frame))
        if not self._is_paced:
            return frame
        self._start_s = time.monotonic() - frame.pts_s if self._start_s is None else self._start_s
        due_s = self._start_s + frame.pts_s
        while not is_over() and (left_s := due_s - time.monotonic()) > 0:
            time.sleep(min(left_s, LOOK_S))
        return replace(frame, arrived_s=due_s)

    def skips(self, frame: Frame) -> bool:
        """Say that a frame's result would come too late, and count it."""
        if self._budget_s is None or time.monotonic() - frame.arrived_s + self._remaining_s <= self._budget_s:
            return False
        self.n_skipped += 1
        with self._lock:
            self._remaining_s *= 1 - FORGOTTEN_SHARE
        return True

    def see_written(self, frame: Frame, n_decoded: int, begun_s: float | None) -> None:
        """Measure a frame that was written, and learn from it how long the next one will take.

        Args:
            frame: the frame.
            n_decoded: frames that had come by then.
            begun_s: when it began to be enhanced, by time.monotonic(); None: it was not.
        """
        now_s = time.monotonic()
        self.ages.see(now_s - frame.arrived_s, n_decoded - frame.number - 1)
        if begun_s is not None and self._budget_s is not None:
            # one slow frame, like the first, which finds caches cold, must not stop the others for long
            seconds = min(now_s - begun_s, 2 * self._budget_s)
            with self._lock:
                self._remaining_s += (seconds - self._remaining_s) * NEW_SHARE
