"""One coding unit: how it is predicted, and its transforms (7.3.8.5)."""

import numpy as np

from cvqe.partition import INTER, INTRA, SKIPPED
from runtime.hevc.cabac_syntax import byte_position, read_bin, read_bypass, read_end, start_engine
from runtime.hevc.compiled import Bytes, compiled, merged, wide
from runtime.hevc.contexts import HAS_RESIDUAL, LOSSLESS, PART_MODE, PREDICTION_MODE, SKIP
from runtime.hevc.intra_mode import DC, read_intra_modes
from runtime.hevc.prediction_unit import skip_merge_index, skip_prediction_unit
from runtime.hevc.slice_maps import CODING, DIRECTION, MODE, TRANSFORM, fill
from runtime.hevc.transform_tree import read_transform_tree

_SMALLEST_LOG2 = 3
# part modes (table 7-10): in one, across, upright, in quarters, and at a quarter of the side
_WHOLE, _ACROSS, _UPRIGHT, _QUARTERS, _ABOVE, _BELOW, _LEFT, _RIGHT = range(8)
# by part mode: width and height, added, of the first and the second part, in quarters of the side
_SIDES = np.array([[8, 0], [6, 6], [6, 6], [4, 4], [5, 7], [7, 5], [5, 7], [7, 5]], np.uint8)


@merged
def read_coding_unit(
    state: np.record,
    data: Bytes,
    maps: Bytes,
    place: tuple[int, int, int],
    has_left: int,
    has_above: int,
) -> None:
    """Read coding_unit() into the maps, all but its quantiser.

    Args:
        state, data, maps: as in read_transform_tree().
        place: x and y in luma samples, and log2 of the side.
        has_left, has_above: whether the blocks beside it are of the same slice and tile.
    """
    x, y, log2 = place
    column, row = x >> 2, y >> 2
    is_lossless, is_skipped = wide(0), wide(0)
    if state.may_be_lossless:
        is_lossless = read_bin(state, data, LOSSLESS)
    if not state.is_intra:
        n_skipped = wide(has_left and maps[MODE, row, column - 1] == SKIPPED)
        n_skipped += wide(has_above and maps[MODE, row - 1, column] == SKIPPED)
        is_skipped = read_bin(state, data, SKIP + n_skipped)
    fill(maps, CODING, column, row, log2, log2)
    if is_skipped:
        skip_merge_index(state, data)
        fill(maps, MODE, column, row, log2, wide(SKIPPED))
        fill(maps, TRANSFORM, column, row, log2, log2)
        return None

    is_intra = wide(1)
    if not state.is_intra:
        is_intra = read_bin(state, data, PREDICTION_MODE)
    parts = wide(_WHOLE)
    if not is_intra or log2 == state.log2_min_coding:
        parts = _part_mode(state, data, log2, is_intra)
    fill(maps, MODE, column, row, log2, wide(INTRA if is_intra else INTER))
    has_residual = wide(1)
    if is_intra:
        if parts == _WHOLE and state.has_pcm and state.log2_min_pcm <= log2 and log2 <= state.log2_max_pcm:
            is_pcm = read_end(state, data)
            if is_pcm:
                fill(maps, DIRECTION, column, row, log2, DC)
                fill(maps, TRANSFORM, column, row, log2, log2)
                return _behind_samples(state, data, log2)
        is_whole = wide(parts == _WHOLE)
        read_intra_modes(state, data, maps, place, is_whole, has_left, has_above)
    else:
        is_merged = _skip_prediction(state, data, log2, parts)
        if not is_merged:
            has_residual = read_bin(state, data, HAS_RESIDUAL)
    if not has_residual:
        fill(maps, TRANSFORM, column, row, log2, log2)
        return None
    return read_transform_tree(state, data, maps, place, is_intra, wide(parts == _WHOLE), is_lossless)


@compiled
def _part_mode(state: np.record, data: Bytes, log2: int, is_intra: int) -> int:
    """Read how the unit is divided for prediction (9.3.3.7)."""
    is_whole = read_bin(state, data, PART_MODE)
    if is_whole:
        return wide(_WHOLE)
    if is_intra:
        return wide(_QUARTERS)
    is_across = read_bin(state, data, PART_MODE + 1)
    if log2 == state.log2_min_coding:
        if is_across:
            return wide(_ACROSS)
        if log2 == _SMALLEST_LOG2:
            return wide(_UPRIGHT)
        is_upright = read_bin(state, data, PART_MODE + 2)
        return wide(_UPRIGHT if is_upright else _QUARTERS)
    is_even = wide(1)
    if state.has_asymmetric_parts:
        is_even = read_bin(state, data, PART_MODE + 3)
    if is_even:
        return wide(_ACROSS if is_across else _UPRIGHT)
    is_second = read_bypass(state, data)
    return wide(_ABOVE if is_across else _LEFT) + is_second


@compiled
def _skip_prediction(state: np.record, data: Bytes, log2: int, parts: int) -> int:
    """Pass over the prediction units; return whether there is one, and it is merged: then it has a residual."""
    depth, quarter = state.log2_coding_tree - log2, wide(1) << (log2 - 2)
    n_parts = wide(1) if parts == _WHOLE else (wide(4) if parts == _QUARTERS else wide(2))
    is_merged = wide(0)
    for part in range(n_parts):
        sides = quarter * wide(_SIDES[parts, part & 1])
        is_merged = skip_prediction_unit(state, data, sides, depth)
    return wide(parts == _WHOLE and is_merged)


@compiled
def _behind_samples(state: np.record, data: Bytes, log2: int) -> None:
    """Begin anew behind the samples of a PCM unit."""
    n_samples = wide(1) << 2 * log2
    n_bits = n_samples * state.pcm_luma_depth
    if state.chroma_format:
        # 4:2:0 has half as many samples of chroma as of luma, 4:2:2 as many, 4:4:4 twice as many
        n_bits += ((2 * n_samples) >> (3 - state.chroma_format)) * state.pcm_chroma_depth
    start_engine(state, data, min(byte_position(state) + ((n_bits + 7) >> 3), len(data)))
