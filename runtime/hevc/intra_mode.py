"""Directions of intra prediction: read, because the order of coefficients follows them (7.3.8.5, 8.4.2, 8.4.3)."""

import numpy as np

from cvqe.partition import INTRA
from runtime.hevc.cabac_syntax import read_bin, read_bypass, read_bypass_bits
from runtime.hevc.compiled import Bytes, compiled, wide
from runtime.hevc.contexts import CHROMA_MODE, IS_PROBABLE_MODE
from runtime.hevc.residual import FULL_CHROMA, HORIZONTAL_MODE, VERTICAL_MODE
from runtime.hevc.slice_maps import DIRECTION, MODE, fill

PLANAR, DC, DIAGONAL = wide(0), wide(1), wide(34)
_HALF_CHROMA, _DERIVED = 2, 4
_REST_BITS = wide(5)
# by what is coded, which direction of chroma is meant (table 8-2)
CHROMA_DIRECTIONS = np.array([PLANAR, VERTICAL_MODE, HORIZONTAL_MODE, DC], np.uint8)
# of 4:2:2, whose samples are twice as high as wide (table 8-3)
_HALF = "0 1 2 2 2 2 3 5 7 8 10 11 13 15 16 18 19 20 21 22 23 23 24 24 25 25 26 27 27 28 28 29 29 30 31"
HALF_CHROMA_DIRECTIONS = np.array([int(direction) for direction in _HALF.split()], np.uint8)


@compiled
def read_intra_modes(
    state: np.record,
    data: Bytes,
    maps: Bytes,
    place: tuple[int, int, int],
    is_whole: int,
    has_left: int,
    has_above: int,
) -> None:
    """Read the directions of a coding unit's luma and chroma into the state, and luma's into the maps.

    Args:
        state, data, maps: as in read_transform_tree().
        place: the coding unit's x and y in luma samples, and log2 of its side.
        is_whole: it is predicted as a whole, else by quarters.
        has_left, has_above: whether the blocks beside it are of the same slice and tile.
    """
    x, y, log2 = place
    n_parts = 1 if is_whole else 4
    part_log2 = log2 if is_whole else log2 - 1
    is_probable = wide(0)
    for part in range(n_parts):
        bit = read_bin(state, data, IS_PROBABLE_MODE)
        is_probable |= bit << part
    # above the coding tree block nothing is kept
    has_above = wide(has_above and y & ((1 << state.log2_coding_tree) - 1) != 0)
    half = 1 << (log2 - 3)
    for part in range(n_parts):
        column, row = (x >> 2) + half * (part & 1), (y >> 2) + half * (part >> 1)
        left, above = wide(DC), wide(DC)
        if part & 1 or has_left:
            left = _direction_at(maps, row, column - 1)
        if part & 2 or has_above:
            above = _direction_at(maps, row - 1, column)
        direction = _direction(state, data, is_probable >> part & 1, left, above)
        state.directions[part] = direction
        fill(maps, DIRECTION, column, row, part_log2, direction)
    if state.chroma_format:
        for part in range(n_parts if state.chroma_format == FULL_CHROMA else 1):
            _read_chroma(state, data, part)


@compiled
def _direction_at(maps: Bytes, row: int, column: int) -> int:
    """Give the direction of a block that was read; between pictures there is none, and none was written."""
    return wide(maps[DIRECTION, row, column]) if maps[MODE, row, column] == INTRA else wide(DC)


@compiled
def _direction(state: np.record, data: Bytes, is_probable: int, left: int, above: int) -> int:
    """Read one direction: one of three probable ones, or the number of one among all others."""
    first, second, third = _probable(left, above)
    if is_probable:
        is_later = read_bypass(state, data)
        if not is_later:
            return first
        is_last = read_bypass(state, data)
        return third if is_last else second
    direction = read_bypass_bits(state, data, _REST_BITS)
    smallest, largest = min(first, second, third), max(first, second, third)
    middle = first + second + third - smallest - largest
    direction += wide(direction >= smallest)
    direction += wide(direction >= middle)
    direction += wide(direction >= largest)
    return direction


@compiled
def _probable(left: int, above: int) -> tuple[int, int, int]:
    """Give the three directions that those beside make probable (8.4.2)."""
    if left == above:
        if left <= DC:
            return wide(PLANAR), wide(DC), wide(VERTICAL_MODE)
        return left, 2 + ((left + 29) & 31), 2 + ((left - 1) & 31)
    if left != PLANAR and above != PLANAR:
        return left, above, wide(PLANAR)
    return left, above, wide(DC) if left != DC and above != DC else wide(VERTICAL_MODE)


@compiled
def _read_chroma(state: np.record, data: Bytes, part: int) -> None:
    """Read how chroma is predicted: as luma, or in one of four directions, the diagonal where luma has that one."""
    direction, is_derived = state.directions[part], wide(1)
    is_own = read_bin(state, data, CHROMA_MODE)
    if is_own:
        choice = read_bypass_bits(state, data, wide(2))
        chosen = wide(CHROMA_DIRECTIONS[choice])
        direction, is_derived = (wide(DIAGONAL) if chosen == direction else chosen), wide(0)
    if state.chroma_format == _HALF_CHROMA:
        direction = wide(HALF_CHROMA_DIRECTIONS[direction])
    state.chroma_directions[part], state.is_chroma_derived[part] = direction, is_derived
