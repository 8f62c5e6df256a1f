"""A stream through an engine, from frames in the host's memory to enhanced frames there: frames a second, latency."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Timing
from cvqe.errors import ModelError
from cvqe.neighbors import ADJACENT
from runtime.engine import Engine, Guide
from runtime.fixed_grid import fixed_grid_map
from runtime.ring import FrameRing, Window
from runtime.slots import RingLayout
from runtime.stages import Channel, Stages
from runtime.streaming import Pending, streaming

Luma = NDArray[np.uint8]


@dataclass(frozen=True)
class StreamSpeed:
    """frames_per_s of the whole stream; latency_ms from a window's submission to its result in the host's memory."""

    frames_per_s: float
    latency_ms: Timing
    p99_ms: float


def made_up_frames(n_frames: int, height: int, width: int) -> list[Luma]:
    """Return a pattern that moves by a pixel a frame, with noise as of a coarse quantiser."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    noise = random.integers(-6, 7, (height, width))
    return [
        (120 + 60 * np.sin((x + t) / 9) * np.cos(y / 7) + np.roll(noise, t)).astype(np.uint8) for t in range(n_frames)
    ]


def measure_stream(
    engine: Engine,
    radius: int,
    frames: Sequence[Luma],
    n_frames: int,
    qp: float | None,
    warm_up: int = 10,
    at_end: Callable[[], object] = lambda: None,
    *,
    takes_guide: bool = False,
    neighbors: str = ADJACENT,
) -> StreamSpeed:
    """Send frames through, over and over until n_frames were enhanced behind the warm-up.

    Args:
        at_end: called behind the last frame, while all that the stream needs is still held.
        takes_guide: the network is given guided maps: those of a fixed grid, made before the clock starts.
        neighbors: which frames make its windows, one of cvqe.neighbors.NEIGHBORS.

    Raises:
        ModelError: the network gave something that is no number.
    """
    layout = RingLayout(radius, 1, neighbors)
    guides = [fixed_grid_map(frame) if takes_guide else None for frame in frames]
    run = _Run(engine, layout, frames, guides, n_frames + warm_up, qp)
    try:
        run.stages.start("upload", run.upload)
        run.stages.start("compute", run.compute)
        run.stages.start("download", run.download)
        run.stages.join()
        at_end()
    finally:
        run.ring.slots.close()
    starts, ends = np.array(run.submitted_s[warm_up:]), np.array(run.finished_s[warm_up:])
    latencies = 1000 * (ends - starts)
    elapsed_s = ends[-1] - run.finished_s[warm_up - 1]
    return StreamSpeed(len(ends) / elapsed_s, Timing.of(latencies.tolist()), float(np.quantile(latencies, 0.99)))


class _Run:
    """The pipeline's three stages around an engine, without a file at either end."""

    def __init__(
        self,
        engine: Engine,
        layout: RingLayout,
        frames: Sequence[Luma],
        guides: Sequence[Guide | None],
        n_frames: int,
        qp: float | None,
    ) -> None:
        self.engine = streaming(engine, frames[0].shape)
        self.stages = Stages()
        self.ring: FrameRing[Any] = FrameRing(self.engine.open_slots(layout), self.stages)
        self.submitted: Channel[tuple[Window[Any], Pending]] = self.stages.channel(self.ring.n_slots)
        self.submitted_s: list[float] = []
        self.finished_s: list[float] = []
        self._frames, self._guides, self._n_frames, self._qp = frames, guides, n_frames, qp

    def upload(self) -> None:
        for number in range(self._n_frames):
            self.ring.write(self._frames[number % len(self._frames)])
        self.ring.finish()

    def compute(self) -> None:
        for window in self.ring.windows():
            guide = self._guides[window.number % len(self._guides)]
            self.submitted_s.append(time.perf_counter())
            self.submitted.put((window, self.engine.submit(window.frames, self._qp, guide)))
        self.submitted.end()

    def download(self) -> None:
        for window, pending in self.submitted:
            enhanced = pending.result()
            self.finished_s.append(time.perf_counter())
            window.release()
            if not enhanced.is_finite:
                raise ModelError(f"{self.engine.backend} gives NaN or infinite pixels; nothing was measured.")
