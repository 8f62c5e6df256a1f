"""A stream through ring and engine in one thread: which of its stages goes on next is drawn, so it can be repeated."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from runtime.engine import Engine, Enhanced
from runtime.ring import FrameRing
from runtime.slots import RingLayout
from runtime.stages import Stages

Scenes = Sequence[Sequence[np.ndarray]]


class Turns(Stages):
    """Stages without threads: who must wait lets somebody else go on."""

    def __init__(self, others: Callable[[], None]) -> None:
        super().__init__()
        self._others = others

    def wait(self, condition, is_ready) -> None:
        while not is_ready():
            self._others()


class OneThread:
    """Upload, compute and download of a run, as far as the ring lets each of them go.

    `releases_early`: give a window back when it was submitted; for a test of the tests.
    """

    def __init__(
        self,
        engine: Engine,
        layout: RingLayout,
        qps: Sequence[float],
        random: Random,
        releases_early: bool = False,
        guides: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.engine, self.qps, self.random, self.releases_early = engine, qps, random, releases_early
        self.guides = guides
        self.slots = engine.open_slots(layout)
        self.ring = FrameRing(self.slots, Turns(self._others))
        self.windows = self.ring.windows()
        self.under_way: deque = deque()
        self.results: list[Enhanced] = []
        self.n_written = 0

    def run(self, scenes: Scenes) -> list[Enhanced]:
        for scene in scenes:
            for luma in scene:
                fed = luma.copy()
                self.ring.write(fed, qp=self.qps[self.n_written])
                self.n_written += 1
                fed[:] = 0  # the caller may do with it what it wants
                for _ in range(self.random.choice((0, 0, 1, 2, 5))):
                    self._others()
            self.ring.end_scene()
        self.ring.finish()
        while len(self.results) < sum(map(len, scenes)):
            self._others()
        assert next(self.windows, None) is None
        self.slots.close()
        return self.results

    def _others(self) -> None:
        """Let compute submit a window, or download take a result, where there is one."""
        moves = [self._submit] if self.ring._ready else []
        moves += [self._take] if self.under_way else []
        assert moves or not self.ring._unreleased, "nobody can go on"
        if moves:
            self.random.choice(moves)()

    def _submit(self) -> None:
        window = next(self.windows)
        if window.begins_scene:
            self.engine.reset()
        guide = None if self.guides is None else self.guides[window.number].copy()
        self.under_way.append((window, self.engine.submit(window.frames, self.qps[window.number], guide)))
        if guide is not None:
            guide[:] = -1  # it is the caller's again
        if self.releases_early:
            window.release()

    def _take(self) -> None:
        window, pending = self.under_way.popleft()
        if self.random.random() < 0.5:
            assert pending.wait() > 0
        self.results.append(pending.result())
        if not self.releases_early:
            window.release()


class Collecting:
    """A sink that keeps what it is given."""

    n_found = 0

    def __init__(self) -> None:
        self.lumas: list[np.ndarray] = []

    def write_frame(self, picture, is_fallen_back) -> None:
        rows = np.frombuffer(picture.planes[0], np.uint8).reshape(picture.height, -1)
        self.lumas.append(rows[:, : picture.width].copy())
