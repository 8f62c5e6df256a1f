"""Windows of 2R+1 frames out of a stream, its ends repeated.

frames     0 1 2 3 ...                        R = 1
windows    (0 0 1) (0 1 2) (1 2 3) ...       low-delay neighbors: (0 2 4) for target 2
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from cvqe.frame import Frame, Luma
from cvqe.neighbors import ADJACENT, distances, offsets, reach


@dataclass(frozen=True)
class Window:
    """A frame and its neighbors' luma, uint8 [2R+1, H, W] or [2R+1, H, W, 2], a copy."""

    target: Frame
    frames: Luma


def sliding_windows(frames: Iterable[Frame], radius: int, neighbors: str = ADJACENT) -> Iterator[Window]:
    """Yield every frame's window in turn; as many frames are held as the farthest neighbors need."""
    ahead = reach(neighbors, radius)
    held: deque[Frame] = deque(maxlen=2 * ahead + 1)
    for frame in _with_ends(frames, ahead):
        held.append(frame)
        if len(held) == held.maxlen:
            target = held[ahead]
            apart = distances(neighbors, target.number, [each.qp for each in held])
            yield Window(target, np.stack([held[ahead + offset].luma for offset in offsets(radius, apart)]))


def _with_ends(frames: Iterable[Frame], radius: int) -> Iterator[Frame]:
    last = None
    for frame in frames:
        yield from repeat(frame, radius + 1 if last is None else 1)
        last = frame
    if last is not None:
        yield from repeat(last, radius)
