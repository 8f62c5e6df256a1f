"""Windows of 2R+1 frames out of a stream, its ends repeated.

frames     0 1 2 3 ...                        R = 1
windows    (0 0 1) (0 1 2) (1 2 3) ...
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from cvqe.frame import Frame, Luma


@dataclass(frozen=True)
class Window:
    """A frame and its neighbors' luma, uint8 [2R+1, H, W] or [2R+1, H, W, 2], a copy."""

    target: Frame
    frames: Luma


def sliding_windows(frames: Iterable[Frame], radius: int) -> Iterator[Window]:
    """Yield every frame's window in turn; 2R+1 frames are held."""
    held: deque[Frame] = deque(maxlen=2 * radius + 1)
    for frame in _with_ends(frames, radius):
        held.append(frame)
        if len(held) == held.maxlen:
            yield Window(held[radius], np.stack([each.luma for each in held]))


def _with_ends(frames: Iterable[Frame], radius: int) -> Iterator[Frame]:
    last = None
    for frame in frames:
        yield from repeat(frame, radius + 1 if last is None else 1)
        last = frame
    if last is not None:
        yield from repeat(last, radius)
