"""The orders that blocks and coefficients are coded in (6.5.3 to 6.5.5), as tables.

z-order of cells   0 1 4 5      diagonal   0 2 5 9     horizontal   0 1 2 3     vertical   0 4 8 .
of 4x4 samples     2 3 6 7                 1 4 8 .                  4 5 6 7                1 5 9 .
                   8 9 . .                 3 7 . .                  8 9 . .                2 6 . .
"""

import numpy as np
from numpy.typing import NDArray

DIAGONAL, HORIZONTAL, VERTICAL = 0, 1, 2
_LARGEST_TREE_LOG2, _CELL_LOG2, _MOST_CELLS = 6, 2, 256
_LARGEST_BLOCKS_LOG2 = 3  # 4x4 coefficient groups along the side of a 32x32 transform


def _order(log2: int, scan: int) -> list[tuple[int, int]]:
    """(x, y) in the order of coding."""
    side = range(1 << log2)
    places = [(x, y) for y in side for x in side]
    if scan == DIAGONAL:  # upwards, from the left border on
        return sorted(places, key=lambda place: (place[0] + place[1], place[0]))
    return places if scan == HORIZONTAL else sorted(places)


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    x_of, y_of, number_of = (np.zeros((_LARGEST_BLOCKS_LOG2 + 1, 3, 64), np.uint8) for _ in range(3))
    for log2 in range(_LARGEST_BLOCKS_LOG2 + 1):
        for scan in (DIAGONAL, HORIZONTAL, VERTICAL):
            for number, (x, y) in enumerate(_order(log2, scan)):
                x_of[log2, scan, number], y_of[log2, scan, number] = x, y
                number_of[log2, scan, y << log2 | x] = number
    return x_of, y_of, number_of


def _z_order() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    x_of, y_of, largest = (np.zeros(_MOST_CELLS, np.uint8) for _ in range(3))
    for number in range(_MOST_CELLS):
        for bit in range(4):
            x_of[number] |= (number >> 2 * bit & 1) << bit
            y_of[number] |= (number >> 2 * bit + 1 & 1) << bit
        n_zeros = (number & -number).bit_length() - 1 if number else 2 * (_LARGEST_TREE_LOG2 - _CELL_LOG2)
        largest[number] = _CELL_LOG2 + n_zeros // 2
    return x_of, y_of, largest


# [log2 of the square's side, scan, number] -> place; [log2, scan, y << log2 | x] -> number
SCAN_X, SCAN_Y, SCAN_NUMBER = _tables()
# by a cell's number: its place in cells, and log2 of the side in samples of the largest block that begins there
Z_X, Z_Y, Z_LARGEST = _z_order()
