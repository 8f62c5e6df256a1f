"""The transform tree of one coding unit (7.3.8.8): read block by block in z-order, without a recursion.

A block at cell number `cell` of the unit can only be as large as its number's trailing zeros allow: what is larger and
begins there was split when its first cell was read. What a split block says of its
chroma stands in the state, by depth.
"""

import numpy as np

from runtime.hevc.cabac_syntax import has_run_out, read_bin
from runtime.hevc.compiled import Bytes, compiled, merged, wide
from runtime.hevc.contexts import CODED_CHROMA, CODED_LUMA, SPLIT_TRANSFORM
from runtime.hevc.residual import FULL_CHROMA
from runtime.hevc.scans import Z_LARGEST, Z_X, Z_Y
from runtime.hevc.slice_maps import TRANSFORM, fill
from runtime.hevc.transform_unit import skip_transform_unit

_HALF_CHROMA = 2  # chroma_format_idc of 4:2:2
_BOTH_BLOCKS = 3


@merged
def read_transform_tree(
    state: np.record,
    data: Bytes,
    maps: Bytes,
    place: tuple[int, int, int],
    is_intra: int,
    is_whole: int,
    is_lossless: int,
) -> None:
    """Read transform_tree() of a coding unit into the map of transforms.

    Args:
        state, data: as in skip_transform_unit().
        maps: of the picture, uint8 [N_MAPS, H/4, W/4].
        place: the coding unit's x and y in luma samples, and log2 of its side.
        is_intra: the coding unit's prediction mode.
        is_whole: it is predicted as a whole (2Nx2N).
        is_lossless: it bypasses transform and quantisation.
    """
    x, y, unit_log2 = place
    splits_first = wide(not is_whole and (is_intra or state.max_depth_inter == 0))
    deepest = state.max_depth_intra + splits_first if is_intra else state.max_depth_inter
    quarter_cells = wide(1) << 2 * (unit_log2 - 3)
    cell = wide(0)
    while cell < 4 * quarter_cells and not has_run_out(state, data):
        log2 = min(wide(Z_LARGEST[cell]), unit_log2)
        while True:
            depth = unit_log2 - log2
            is_forced = log2 > state.log2_max_transform or (splits_first and depth == 0)
            is_split = wide(is_forced)
            is_open = log2 <= state.log2_max_transform and log2 > state.log2_min_transform and depth < deepest
            if is_open and not (is_intra and splits_first and depth == 0):
                is_split = read_bin(state, data, SPLIT_TRANSFORM + 5 - log2)
            _read_coded_chroma(state, data, log2, depth, is_split)
            if not is_split or log2 == 2:
                break
            log2 -= 1
        cb, cr = state.coded_cb[depth], state.coded_cr[depth]
        luma = wide(1)
        if is_intra or depth or cb or cr:
            luma = read_bin(state, data, CODED_LUMA + wide(depth == 0))
        n_cells = wide(1) << 2 * (log2 - 2)
        quarter = cell >> 2 * (log2 - 2) & 3
        part = cell // quarter_cells if is_intra and splits_first else 0
        skip_transform_unit(state, data, log2, quarter, part, (luma, cb, cr), is_intra, is_lossless)
        fill(maps, TRANSFORM, (x >> 2) + wide(Z_X[cell]), (y >> 2) + wide(Z_Y[cell]), log2, log2)
        cell += n_cells


@compiled
def _read_coded_chroma(
    state: np.record,
    data: Bytes,
    log2: int,
    depth: int,
    is_split: int,
) -> None:
    """Read whether chroma has coefficients, where the block above it in the tree has some."""
    cb, cr = wide(0), wide(0)
    above_cb, above_cr = wide(_BOTH_BLOCKS), wide(_BOTH_BLOCKS)
    if depth:
        above_cb, above_cr = state.coded_cb[depth - 1], state.coded_cr[depth - 1]
    if state.chroma_format == FULL_CHROMA or (state.chroma_format and log2 > 2):
        has_two = state.chroma_format == _HALF_CHROMA and (not is_split or log2 == 3)
        if above_cb:
            cb = _flags(state, data, depth, has_two)
        if above_cr:
            cr = _flags(state, data, depth, has_two)
    elif state.chroma_format:  # a 4x4 block: chroma is that of the 8x8 block above
        cb, cr = above_cb, above_cr
    state.coded_cb[depth], state.coded_cr[depth] = cb, cr


@compiled
def _flags(state: np.record, data: Bytes, depth: int, has_two: bool) -> int:
    flags = read_bin(state, data, CODED_CHROMA + depth)
    if has_two:
        lower = read_bin(state, data, CODED_CHROMA + depth)
        flags |= lower << 1
    return flags
