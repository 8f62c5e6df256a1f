"""Prediction units between pictures: merging, references and motion, passed over (7.3.8.6, 7.3.8.9)."""

import numpy as np

from runtime.hevc.cabac_syntax import read_bin, read_bypass, read_exp_golomb, read_leading_ones
from runtime.hevc.compiled import Bytes, compiled, wide
from runtime.hevc.contexts import (
    DIRECTION,
    MERGE,
    MERGE_INDEX,
    MOTION_GREATER_0,
    MOTION_GREATER_1,
    PREDICTOR,
    REFERENCE,
)

_N_REFERENCE_CONTEXTS, _SMALLEST_SIDES = 2, 12  # 8x4 and 4x8 may not be predicted from both lists
_FIRST, _SECOND, _BOTH = 0, 1, 2
_LIST_CONTEXT = 4


@compiled
def skip_prediction_unit(state: np.record, data: Bytes, sides: int, depth: int) -> int:
    """Pass over prediction_unit().

    Args:
        state, data: as in skip_residual().
        sides: width and height of the unit, added.
        depth: of its coding unit in the quadtree.

    Returns:
        whether motion is merged with a neighbour's.
    """
    is_merged = read_bin(state, data, MERGE)
    if is_merged:
        skip_merge_index(state, data)
        return is_merged
    direction = wide(_FIRST)
    if state.is_bidirectional:
        direction = _direction(state, data, sides, depth)
    if direction != _SECOND:
        _skip_reference(state, data, state.n_references_0)
        _skip_motion(state, data)
        read_bin(state, data, PREDICTOR)
    if direction != _FIRST:
        _skip_reference(state, data, state.n_references_1)
        if not (state.has_no_second_motion and direction == _BOTH):
            _skip_motion(state, data)
        read_bin(state, data, PREDICTOR)
    return is_merged


@compiled
def skip_merge_index(state: np.record, data: Bytes) -> None:
    """Pass over which neighbour's motion is taken over."""
    if state.n_merge_candidates > 1:
        is_more = read_bin(state, data, MERGE_INDEX)
        if is_more:
            read_leading_ones(state, data, state.n_merge_candidates - 2)


@compiled
def _direction(state: np.record, data: Bytes, sides: int, depth: int) -> int:
    """Read which lists of references are used."""
    if sides != _SMALLEST_SIDES:
        is_both = read_bin(state, data, DIRECTION + depth)
        if is_both:
            return wide(_BOTH)
    return read_bin(state, data, DIRECTION + _LIST_CONTEXT)


@compiled
def _skip_reference(state: np.record, data: Bytes, n_references: int) -> None:
    """Pass over the number of a reference: at most so many ones, the first two of which have contexts."""
    for number in range(n_references - 1):
        has_context = number < _N_REFERENCE_CONTEXTS
        if not (read_bin(state, data, REFERENCE + number) if has_context else read_bypass(state, data)):
            break


@compiled
def _skip_motion(state: np.record, data: Bytes) -> None:
    """Pass over mvd_coding()."""
    has_x = read_bin(state, data, MOTION_GREATER_0)
    has_y = read_bin(state, data, MOTION_GREATER_0)
    is_long_x, is_long_y = wide(0), wide(0)
    if has_x:
        is_long_x = read_bin(state, data, MOTION_GREATER_1)
    if has_y:
        is_long_y = read_bin(state, data, MOTION_GREATER_1)
    _skip_component(state, data, has_x, is_long_x)
    return _skip_component(state, data, has_y, is_long_y)


@compiled
def _skip_component(state: np.record, data: Bytes, is_moved: int, is_long: int) -> None:
    if not is_moved:
        return
    if is_long:
        read_exp_golomb(state, data, wide(1))
    read_bypass(state, data)  # the sign
