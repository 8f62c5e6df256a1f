"""The quadtree of one coding tree block (7.3.8.4): read block by block in z-order, as the transform tree is."""

import numpy as np

from runtime.hevc.cabac_syntax import has_run_out, read_bin
from runtime.hevc.coding_unit import read_coding_unit
from runtime.hevc.compiled import Bytes, compiled, merged, wide
from runtime.hevc.contexts import SPLIT_CODING
from runtime.hevc.scans import Z_LARGEST, Z_X, Z_Y
from runtime.hevc.slice_maps import CODING, QP, QP_SHIFT, fill


@merged
def read_coding_quadtree(
    state: np.record,
    data: Bytes,
    maps: Bytes,
    corner: tuple[int, int],
    has_left: int,
    has_above: int,
) -> None:
    """Read one coding tree block into the maps.

    Args:
        state, data, maps: as in read_transform_tree().
        corner: x and y of the block in luma samples.
        has_left, has_above: whether the coding tree blocks beside it are of the same slice and tile.
    """
    n_cells = wide(1) << 2 * (state.log2_coding_tree - 2)
    cell = wide(0)
    while cell < n_cells and not has_run_out(state, data):
        log2 = min(wide(Z_LARGEST[cell]), state.log2_coding_tree)
        x, y = corner[0] + 4 * wide(Z_X[cell]), corner[1] + 4 * wide(Z_Y[cell])
        if x < state.width and y < state.height:
            has_unit_left, has_unit_above = wide(x > corner[0] or has_left), wide(y > corner[1] or has_above)
            while True:
                place = (x, y, log2)
                is_split = _split(state, data, maps, place, has_unit_left, has_unit_above)
                _begin_groups(state, maps, place, corner)
                if not is_split:
                    break
                log2 -= 1
            read_coding_unit(state, data, maps, place, has_unit_left, has_unit_above)
            fill(maps, QP, x >> 2, y >> 2, log2, state.unit_qp + QP_SHIFT)
            state.last_qp = state.unit_qp
        cell += wide(1) << 2 * (log2 - 2)


@compiled
def _split(
    state: np.record,
    data: Bytes,
    maps: Bytes,
    place: tuple[int, int, int],
    has_left: int,
    has_above: int,
) -> int:
    """Read whether a block is split; one that reaches out of the picture is."""
    x, y, log2 = place
    if log2 == state.log2_min_coding:
        return wide(0)
    if x + (1 << log2) > state.width or y + (1 << log2) > state.height:
        return wide(1)
    n_smaller = wide(has_left and maps[CODING, y >> 2, (x >> 2) - 1] < log2)
    n_smaller += wide(has_above and maps[CODING, (y >> 2) - 1, x >> 2] < log2)
    return read_bin(state, data, SPLIT_CODING + n_smaller)


@compiled
def _begin_groups(state: np.record, maps: Bytes, place: tuple[int, int, int], corner: tuple[int, int]) -> None:
    """Predict the quantiser where a quantisation group begins, from those before it (8.6.1)."""
    x, y, log2 = place
    if log2 >= state.log2_qp_group:
        state.is_qp_read = 0
        left, above = state.last_qp, state.last_qp
        if x > corner[0]:
            left = wide(maps[QP, y >> 2, (x >> 2) - 1]) - QP_SHIFT
        if y > corner[1]:
            above = wide(maps[QP, (y >> 2) - 1, x >> 2]) - QP_SHIFT
        state.predicted_qp = (left + above + 1) >> 1
        state.unit_qp = state.predicted_qp
    if log2 >= state.log2_chroma_offset_group:
        state.is_chroma_offset_read = 0
