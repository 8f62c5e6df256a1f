"""The guided map: every transform unit filled with the mean of its decoded luma, MGANet's second input."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ShapeError
from cvqe.partition import CELL_PX, Partition
from runtime.hevc.compiled import compiled, entry, unsigned, wide


def guided_map(luma: NDArray[np.uint8], partition: Partition) -> NDArray[np.float32]:
    """Average a picture's luma over each of its transform units.

    The GIL is released. Where nothing was read of a picture, each 4x4 samples are a unit: use such maps of whole
    partitions only.

    Args:
        luma: of the shown window, uint8 [H, W], or little-endian byte pairs [H, W, 2] above 8 bit; any strides.
        partition: of the same picture.

    Returns:
        float32 [H, W], in grey levels of luma's own depth. A unit that reaches out of the window counts with what is
        shown of it.

    Raises:
        ShapeError: luma is not of the window's size.
    """
    window = partition.window
    if luma.shape not in ((window.height, window.width), (window.height, window.width, 2)):
        raise ShapeError(f"luma is {list(luma.shape)}, but its partition shows {[window.height, window.width]}")
    levels = luma if luma.ndim == 2 else np.ascontiguousarray(luma).view("<u2")[..., 0]
    result = np.empty((window.height, window.width), np.float32)
    _fill_means(_any(levels), partition.transform, window.left, window.top, result)
    return result


def _any(levels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return an array without gaps, read-only: Numba compiles anew for each kind, and gaps are slow."""
    view = np.ascontiguousarray(levels).view()
    view.flags.writeable = False
    return view


@entry
def _fill_means(
    luma: NDArray[Any], transform: NDArray[np.uint8], left: int, top: int, result: NDArray[np.float32]
) -> None:
    """Write the mean of each unit; `left` and `top` are the shown window's corner in the coded picture."""
    height, width = result.shape
    first_row, first_column = top // CELL_PX, left // CELL_PX
    for row in range(first_row, -(-(top + height) // CELL_PX)):
        column = wide(first_column)
        while column * CELL_PX < left + width:
            side = max(1 << wide(transform[unsigned(row), unsigned(column)]), CELL_PX)
            x, y = column * CELL_PX & -side, row * CELL_PX & -side
            # a unit is met at its first row, or at the first one shown
            if max(y // CELL_PX, first_row) == row:
                x_start, x_end = max(x - left, 0), min(x + side - left, width)
                y_start, y_end = max(y - top, 0), min(y + side - top, height)
                _fill_mean(luma, x_start, x_end, y_start, y_end, result)
            column = (x + side) // CELL_PX


@compiled
def _fill_mean(
    luma: NDArray[np.generic], x_start: int, x_end: int, y_start: int, y_end: int, result: NDArray[np.float32]
) -> None:
    """Write the mean of one rectangle into it."""
    total = wide(0)
    for y in range(y_start, y_end):
        for x in range(x_start, x_end):
            total += wide(luma[unsigned(y), unsigned(x)])
    mean = np.float32(total / ((y_end - y_start) * (x_end - x_start)))
    for y in range(y_start, y_end):
        for x in range(x_start, x_end):
            result[unsigned(y), unsigned(x)] = mean
