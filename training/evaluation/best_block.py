"""The block of a clip that gains most: where a reader should look for the difference."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 96

Plane = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """One square of one frame, as decoded, enhanced and pristine luma, each [h, w] in levels."""

    frame: int
    top: int
    left: int
    decoded: Plane
    enhanced: Plane
    pristine: Plane


class BestBlock:
    """Keeps, of all frames seen, the block whose squared error fell most; blocks of 96x96 px, side by side."""

    def __init__(self) -> None:
        self.block: Block | None = None
        self._gain = -np.inf

    def see(self, frame: int, decoded: Plane, enhanced: Plane, pristine: Plane) -> None:
        """Look at one frame, three planes [H, W] of one size."""
        height, width = pristine.shape
        side_y, side_x = min(SIDE_PX, height), min(SIDE_PX, width)
        gains = _block_sums(_squares(decoded, pristine) - _squares(enhanced, pristine), side_y, side_x)
        row, column = np.unravel_index(gains.argmax(), gains.shape)
        if gains[row, column] > self._gain:
            self._gain = float(gains[row, column])
            top, left = int(row) * side_y, int(column) * side_x
            area = (slice(top, top + side_y), slice(left, left + side_x))
            self.block = Block(frame, top, left, decoded[area].copy(), enhanced[area].copy(), pristine[area].copy())


def _squares(shown: Plane, pristine: Plane) -> NDArray[np.float32]:
    difference = shown.astype(np.float32) - pristine.astype(np.float32)
    return np.square(difference, out=difference)


def _block_sums(plane: NDArray[np.float32], side_y: int, side_x: int) -> NDArray[np.float64]:
    """Sum every whole block, [H // side_y, W // side_x]."""
    rows, columns = plane.shape[0] // side_y, plane.shape[1] // side_x
    whole = plane[: rows * side_y, : columns * side_x]
    sums: NDArray[np.float64] = whole.reshape(rows, side_y, columns, side_x).sum((1, 3), dtype=np.float64)
    return sums
