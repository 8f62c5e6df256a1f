"""Where another scene begins, told from thumbnails: no window may reach across.

frames   a a a a b b b       a a A a a a        a a a ab ab ab b b b
                ^ cut        (a flash: none)    (a dissolve: none)

Two frames are compared by the correlation of their thumbnails, at the shift that fits best: brighter or darker, faded
or panned they are the same scene. A cut changes much more than the frames before it did. Only at such a place are the
next frames waited for, which tell a flash: after it the old scene is there again.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cvqe.frame import Frame

ROWS, COLUMNS = 18, 32  # of a thumbnail
POINTS = 4  # samples a cell, in each direction: a mean of 16 is quiet enough
SHIFT_ROWS, SHIFT_COLUMNS = 1, 2  # the farthest that a picture moves from frame to frame: 6 % of its size
STILL = 0.1  # a change so small needs no search for a shift
# found on joined, dissolved, faded and flashing training clips (benchmarks/bench_scene_cuts.py measures test clips)
LEAST_CHANGE = 0.3
LEAST_TIMES = 3.0  # the usual change
LEAST_MORE = 0.1  # than that
LEAST_LEVELS = (
    12.0  # of contrast, on the scale of 8 bit: black and what a fade leaves of it have no structure to compare
)
FLASH_FRAMES = 2  # the longest flash
FLASH_SHARE = 0.5  # of the change that is undone behind it
USUAL_FRAMES = 6  # whose middle change is the usual one
USUAL_AT_FIRST = 0.05

Thumbnail = NDArray[np.float32]
T = TypeVar("T")


def thumbnail(luma: NDArray[np.uint8], bit_depth: int) -> Thumbnail:
    """Return means of a picture's cells.

    Args:
        luma: [H, W], or [H, W, 2] little-endian byte pairs above 8 bit; any size.

    Returns:
        float32 [ROWS, COLUMNS] on the scale of 8 bit.
    """
    rows, columns = (_places(n_cells, length) for n_cells, length in ((ROWS, luma.shape[0]), (COLUMNS, luma.shape[1])))
    points = luma.take(rows, 0).take(columns, 1)
    if bit_depth > 8:
        points = points.view("<u2")[..., 0]
    sums: Thumbnail = points.reshape(ROWS, POINTS, COLUMNS * POINTS).sum(1, dtype=np.float32) @ _CELLS
    return sums * np.float32(2.0 ** (8 - bit_depth) / POINTS**2)


def change(before: Thumbnail, after: Thumbnail) -> float:
    """Return 1 less the correlation of two thumbnails at the shift that fits best: 0 the same, 1 another picture."""
    direct = _change(before, after)
    if direct < STILL:
        return direct
    return min(_change(*_shifted(before, after, down, right)) for down, right in _SHIFTS)


class SceneCuts(Generic[T]):
    """Follows a video; n_cuts counts the scenes that began after the first one."""

    def __init__(self) -> None:
        self.n_cuts = 0
        self._usual: deque[float] = deque([USUAL_AT_FIRST] * USUAL_FRAMES, USUAL_FRAMES)
        self._waiting: deque[_Seen[T]] = deque()
        self._last: Thumbnail | None = None  # of the frame handed on last

    def follow(self, frames: Iterable[tuple[T, Thumbnail]]) -> Iterator[tuple[T, bool]]:
        """Yield every frame, and whether it begins another scene; at most FLASH_FRAMES of them wait for later ones."""
        for frame, thumb in frames:
            self._waiting.append(_Seen(frame, thumb))
            yield from self._decided(is_end=False)
        yield from self._decided(is_end=True)

    def _decided(self, is_end: bool) -> Iterator[tuple[T, bool]]:
        while self._waiting:
            if self._last is None or not self._is_suspicious(self._last, self._waiting[0]):
                yield self._hand_on(is_cut=False)
                continue
            n_flashing = self._n_flashing(self._last)
            if n_flashing:
                self._waiting[0].change = None  # what is usual stays so
                yield from [self._hand_on(is_cut=False) for _ in range(n_flashing + 1)]
            elif is_end or len(self._waiting) > FLASH_FRAMES:
                yield self._hand_on(is_cut=True)
            else:
                return

    def _is_suspicious(self, last: Thumbnail, seen: "_Seen[T]") -> bool:
        """Tell whether a frame differs more than those before it did, and shows enough to be sure."""
        if seen.change is None:
            seen.change = change(last, seen.thumb)
        is_unusual = seen.change > max(LEAST_CHANGE, LEAST_TIMES * median(self._usual) + LEAST_MORE)
        return is_unusual and _new_contrast(last, seen.thumb) > LEAST_LEVELS

    def _n_flashing(self, last: Thumbnail) -> int:
        """Count the frames until the old scene is there again; 0 where it is not among those seen."""
        first, *later = self._waiting
        assert first.change is not None
        back = (i for i, seen in enumerate(later, 1) if change(last, seen.thumb) < FLASH_SHARE * first.change)
        return next(back, 0)

    def _hand_on(self, is_cut: bool) -> tuple[T, bool]:
        seen = self._waiting.popleft()
        if seen.change is not None:  # frames of a flash have none
            self._usual.append(seen.change)
        self._last = seen.thumb
        self.n_cuts += is_cut
        return seen.frame, is_cut


@dataclass
class _Seen(Generic[T]):
    """A frame that waits; its change is that from the one handed on before it."""

    frame: T
    thumb: Thumbnail
    change: float | None = None


def with_thumbnails(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Thumbnail]]:
    """Yield frames beside their thumbnails."""
    for frame in frames:
        yield frame, thumbnail(frame.luma, frame.bit_depth)


def _places(n_cells: int, length: int) -> NDArray[np.intp]:
    n_points = n_cells * POINTS
    places: NDArray[np.intp] = ((np.arange(n_points) + 0.5) * length / n_points).astype(np.intp)
    return places


def _change(before: Thumbnail, after: Thumbnail) -> float:
    both, own, other = _moments(before, after)
    if min(own, other) < 1:  # flat: the same as another flat one, unlike all else
        return float(max(own, other) >= 1)
    return max(1 - max(both, 0.0) / math.sqrt(own * other), 0.0)


def _new_contrast(before: Thumbnail, after: Thumbnail) -> float:
    """Return the standard deviation, in levels, of what the livelier thumbnail does not share with the other one."""
    both, own, other = _moments(before, after)
    shared = max(both, 0.0) ** 2 / (own * other) if own and other else 0.0
    return math.sqrt(max(own, other) * (1 - min(shared, 1.0)))


def _moments(before: Thumbnail, after: Thumbnail) -> tuple[float, float, float]:
    """Return the covariance and both variances, in squared levels."""
    own, other = (before - before.mean()).ravel(), (after - after.mean()).ravel()
    return float(own @ other) / own.size, float(own @ own) / own.size, float(other @ other) / own.size


def _shifted(before: Thumbnail, after: Thumbnail, down: int, right: int) -> tuple[Thumbnail, Thumbnail]:
    """Return the parts of two thumbnails that lie on each other when the first is moved."""
    moved = before[max(-down, 0) : ROWS - max(down, 0), max(-right, 0) : COLUMNS - max(right, 0)]
    below = after[max(down, 0) : ROWS - max(-down, 0), max(right, 0) : COLUMNS - max(-right, 0)]
    return moved, below


_CELLS = np.kron(np.eye(COLUMNS), np.ones((POINTS, 1))).astype(np.float32)  # [COLUMNS * POINTS, COLUMNS]: sums of cells
_SHIFTS = [
    (down, right) for down in range(-SHIFT_ROWS, SHIFT_ROWS + 1) for right in range(-SHIFT_COLUMNS, SHIFT_COLUMNS + 1)
]
