"""Times of single frames: a network given one window after another, and nothing else to do."""

import time
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

from benchmarks.stream_speed import Luma
from cvqe.errors import ModelError
from cvqe.manifest import Manifest
from runtime.engine import Engine
from runtime.fixed_grid import fixed_grid_map

LONG_S = 5.0


def timed_frames(engine: Engine, manifest: Manifest, frames: Sequence[Luma], qp: float) -> Iterator[float]:
    """Enhance window after window without an end; a step of this iterator is one frame, and gives its milliseconds.

    What makes windows and guided maps is not timed. A frame begins when the one before it has reached the host.

    Args:
        manifest: of the network.
        frames: [H, W] each, that windows slide over, round and round.
        qp: told to a network that takes one.

    Raises:
        ModelError: the network gave something that is no number.
    """
    for first in count():
        window = np.stack([frames[(first + place) % len(frames)] for place in range(manifest.window_frames)])
        guide = fixed_grid_map(window[manifest.radius]) if manifest.takes_guide else None
        start = time.perf_counter()
        enhanced = engine.enhance(window, qp, guide)
        elapsed_s = time.perf_counter() - start
        if not enhanced.is_finite:
            raise ModelError(f"{engine.backend} gives NaN or infinite pixels; nothing was measured.")
        yield 1000 * elapsed_s


def settled(times_ms: Iterator[float], seconds: float, at_least: int) -> list[float]:
    """Take frames until `seconds` are over and at least so many were taken; the first one warms up.

    A first frame of more than LONG_S is taken, too: what is loaded and prepared late is little beside it.
    """
    first = next(times_ms)
    taken = [first] if first > 1000 * LONG_S else []
    while len(taken) < at_least or sum(taken) < 1000 * seconds:
        taken.append(next(times_ms))
    return taken
