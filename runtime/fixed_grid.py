"""A mosaic without a partition: the mean of every square of a fixed grid, which stands in for a guided map."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 16  # of H.264's macroblocks; what it is hardly matters: no fixed grid comes near the coder's own units


def fixed_grid_map(luma: NDArray[Any], side_px: int = SIDE_PX) -> NDArray[np.float32]:
    """Replace every pixel by the mean of its square.

    Args:
        luma: levels [H, W] of any number type, or little-endian byte pairs, uint8 [H, W, 2].
        side_px: of a square; those at the right and at the bottom may be cut off by the picture's edge.

    Returns:
        float32 [H, W], in levels.
    """
    levels = luma if luma.ndim == 2 else np.ascontiguousarray(luma).view("<u2")[..., 0]
    height, width = levels.shape
    columns = np.arange(0, width, side_px)
    widths = np.diff(columns, append=width)
    heights = np.diff(np.arange(0, height, side_px), append=height)
    sums = np.add.reduceat(_sums_of_rows(levels, side_px), columns, axis=1)
    means = (sums / np.outer(heights, widths)).astype(np.float32)
    mosaic: NDArray[np.float32] = np.repeat(np.repeat(means, widths, axis=1), heights, axis=0)
    return mosaic


def _sums_of_rows(levels: NDArray[Any], n_rows: int) -> NDArray[Any]:
    """Add so many rows to one, the last ones to one more; a reshape is several times faster here than reduceat."""
    height, width = levels.shape
    dtype = np.uint64 if np.issubdtype(levels.dtype, np.integer) else np.float64
    whole, rest = np.split(levels, [height - height % n_rows])
    sums: NDArray[Any] = whole.reshape(-1, n_rows, width).sum(1, dtype=dtype)
    return np.concatenate([sums, rest.sum(0, dtype=dtype, keepdims=True)]) if len(rest) else sums
