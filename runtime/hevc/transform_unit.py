"""One transform unit: the difference of its quantiser, then the coefficients of luma and chroma (7.3.8.10)."""

import numpy as np

from runtime.hevc.cabac_syntax import read_bin, read_bypass, read_exp_golomb
from runtime.hevc.compiled import Bytes, compiled, merged, wide
from runtime.hevc.contexts import (
    CHROMA_OFFSET,
    CHROMA_OFFSET_INDEX,
    CROSS_COMPONENT,
    CROSS_COMPONENT_SIGN,
    QP_DELTA,
)
from runtime.hevc.residual import FULL_CHROMA, skip_residual

_MOST_DELTA_PREFIX, _MOST_SCALE, _N_QPS = 5, 4, 52
_LAST_QUARTER = 3


@merged
def skip_transform_unit(
    state: np.record,
    data: Bytes,
    log2: int,
    quarter: int,
    part: int,
    coded: tuple[int, int, int],
    is_intra: int,
    is_lossless: int,
) -> None:
    """Pass over transform_unit(), and note the quantiser that it may bring.

    Args:
        state, data: as in skip_residual().
        state: of the slice segment; its quantiser and flags are changed.
        log2: of the unit's side in luma.
        quarter: 0 to 3, which one of the block above it in the tree this is.
        part: 0 to 3, which quarter of the coding unit has its directions of intra prediction.
        coded: whether luma, Cb and Cr have coefficients; for chroma bit 1 is the lower block of 4:2:2.
        is_intra: the coding unit's prediction mode.
        is_lossless: the coding unit bypasses transform and quantisation.
    """
    luma, cb, cr = coded
    if not (luma or cb or cr):
        return
    if state.has_block_qps and not state.is_qp_read:
        _read_qp_delta(state, data)
    if state.has_chroma_qp_offsets and (cb or cr) and not is_lossless and not state.is_chroma_offset_read:
        _skip_chroma_offset(state, data)
    if luma:
        skip_residual(state, data, log2, wide(0), state.directions[part], is_intra, is_lossless)
    chroma_part = part if state.chroma_format == FULL_CHROMA else 0
    chroma_log2 = log2 if state.chroma_format == FULL_CHROMA else log2 - 1
    if chroma_log2 < 2:  # four blocks of 4x4 luma share one of chroma, which comes with the last of them
        if quarter != _LAST_QUARTER:
            return
        chroma_log2 = 2
    may_be_predicted = state.has_cross_component and luma
    for component in range(wide(1), wide(3)):
        if may_be_predicted and (not is_intra or state.is_chroma_derived[chroma_part]):
            _skip_cross_component(state, data, component)
        blocks = cb if component == 1 else cr
        for block in range(2):
            if blocks >> block & 1:
                direction = state.chroma_directions[chroma_part]
                skip_residual(state, data, chroma_log2, component, direction, is_intra, is_lossless)


@compiled
def _read_qp_delta(state: np.record, data: Bytes) -> None:
    """Read cu_qp_delta: the group's quantiser is the predicted one and this, round a circle (8-283)."""
    size = wide(0)
    while size < _MOST_DELTA_PREFIX:
        bit = read_bin(state, data, QP_DELTA + wide(size > 0))
        if not bit:
            break
        size += 1
    if size == _MOST_DELTA_PREFIX:
        more = read_exp_golomb(state, data, wide(0))
        size += more
    if size:
        is_negative = read_bypass(state, data)
        size = -size if is_negative else size
    below_0 = 6 * (state.luma_depth - 8)
    state.unit_qp = (state.predicted_qp + size + _N_QPS + 2 * below_0) % (_N_QPS + below_0) - below_0
    state.is_qp_read = 1


@compiled
def _skip_chroma_offset(state: np.record, data: Bytes) -> None:
    is_offset = read_bin(state, data, CHROMA_OFFSET)
    if is_offset:
        for _ in range(state.n_chroma_offsets - 1):
            bit = read_bin(state, data, CHROMA_OFFSET_INDEX)
            if not bit:
                break
    state.is_chroma_offset_read = 1


@compiled
def _skip_cross_component(state: np.record, data: Bytes, component: int) -> None:
    """Pass over how much of luma's residual predicts this component's."""
    scale = wide(0)
    while scale < _MOST_SCALE:
        bit = read_bin(state, data, CROSS_COMPONENT + 4 * (component - 1) + scale)
        if not bit:
            break
        scale += 1
    if scale:
        read_bin(state, data, CROSS_COMPONENT_SIGN + component - 1)
