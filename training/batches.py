"""Batches, and a thread that draws them ahead of the step that learns from them."""

import queue
import threading
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

AHEAD = 4  # batches drawn early: enough that a slow disk read is not felt, few enough to forget


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    window: NDArray[np.uint8]  # decoded luma, [N, 2R+C, P, P] with C targets one after another, mostly 1
    pristine: NDArray[np.uint8]  # the same frames before coding, [N, 2R+C, P, P]
    frame_mse: NDArray[np.float32]  # error of each target's whole decoded frame, squared levels, [N * C]
    qp: NDArray[np.float32]  # [N]
    guide: NDArray[np.float32] | None = None  # guided map of the target in levels, [N, 1, P, P], where one is taken


class Source(Protocol):
    """Where batches come from."""

    def batch(self, step: int, rank: int, size: int) -> Batch:
        """Draw the batch of a step: the same three numbers give the same batch, whatever was drawn before."""

    def facts(self) -> str:
        """Return what the data is: another text, other batches."""


class Prefetcher:
    """Draws the batches of successive steps in a thread; use as a context manager."""

    def __init__(self, source: Source, first_step: int, rank: int, size: int) -> None:
        self.waited_s = 0.0
        self._queue: queue.Queue[Batch | Exception] = queue.Queue(AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw, args=(source, first_step, rank, size), daemon=True)

    def __enter__(self) -> "Prefetcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        while self._thread.is_alive():  # it may be waiting for room
            self._drain()
            self._thread.join(0.05)

    def next(self) -> Batch:
        """Return the next step's batch; what it had to be waited for is added to `waited_s`. Its errors are raised."""
        start = time.perf_counter()
        batch = self._queue.get()
        self.waited_s += time.perf_counter() - start
        if isinstance(batch, Exception):
            raise batch
        return batch

    def _draw(self, source: Source, step: int, rank: int, size: int) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(source.batch(step, rank, size))
            except Exception as error:  # raised again where the batch is asked for
                self._queue.put(error)
                return
            step += 1

    def _drain(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except queue.Empty:
            pass
