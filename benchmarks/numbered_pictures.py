"""A frame's number in its picture, in squares that coding doesn't wash out: what comes out is known for what went in.

bit   11 10  9 ...  0
      [] ## [] ... ##     white is 1
      ## [] ## ... []     the same once more, inverted: a square that was damaged is no number
"""

import numpy as np
from numpy.typing import NDArray

N_BITS = 12
MOST = 2**N_BITS  # numbers from 0 to one less
ROW_SHARE = 16  # of a picture's height, a row of squares
BLACK, WHITE = 16, 235
LEAST_LEVELS = 64  # between a bit and its inverse

Luma = NDArray[np.uint8]


def write_number(luma: Luma, number: int) -> None:
    """Draw a number into the upper left corner of a picture [H, W], at least 64 samples high and wide."""
    height, width = _square(luma)
    bits = np.array([number >> (N_BITS - 1 - place) & 1 for place in range(N_BITS)])
    squares = np.stack([bits, 1 - bits])
    drawn = np.where(squares, WHITE, BLACK).repeat(height, 0).repeat(width, 1)
    luma[: drawn.shape[0], : drawn.shape[1]] = drawn


def read_number(luma: Luma) -> int | None:
    """Return the number that a decoded picture [H, W] shows; None where a square can't be told."""
    height, width = _square(luma)
    cells = luma[: 2 * height, : N_BITS * width].reshape(2, height, N_BITS, width)
    inner = cells[:, height // 4 : -(height // 4), :, width // 4 : -(width // 4)]  # away from the neighbors' edges
    ones, inverted = inner.mean((1, 3))
    if np.abs(ones - inverted).min() < LEAST_LEVELS:
        return None
    return int(sum(1 << (N_BITS - 1 - place) for place in np.flatnonzero(ones > inverted)))


def _square(luma: Luma) -> tuple[int, int]:
    return luma.shape[0] // ROW_SHARE, luma.shape[1] // N_BITS
