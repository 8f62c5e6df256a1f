"""Sample adaptive offsets of one coding tree block, passed over (7.3.8.3)."""

import numpy as np

from runtime.hevc.cabac_syntax import read_bin, read_bypass, read_bypass_bits, read_leading_ones
from runtime.hevc.compiled import Bytes, compiled, wide
from runtime.hevc.contexts import OFFSET_MERGE, OFFSET_TYPE

_NONE, _BAND = 0, 1
_N_OFFSETS, _BAND_BITS, _CLASS_BITS, _MOST_DEPTH = 4, 5, 2, 10


@compiled
def skip_sample_offsets(state: np.record, data: Bytes, has_left: int, has_above: int) -> None:
    """Pass over sao(); has_left, has_above: whether the blocks beside it are of the same slice and tile."""
    if has_left:
        is_merged = read_bin(state, data, OFFSET_MERGE)
        if is_merged:
            return
    if has_above:
        is_merged = read_bin(state, data, OFFSET_MERGE)
        if is_merged:
            return
    if state.has_luma_offsets:
        kind = _kind(state, data)
        _skip_offsets(state, data, kind, state.luma_depth, wide(1))
    if state.has_chroma_offsets:
        kind = _kind(state, data)
        _skip_offsets(state, data, kind, state.chroma_depth, wide(1))
        _skip_offsets(state, data, kind, state.chroma_depth, wide(0))


@compiled
def _kind(state: np.record, data: Bytes) -> int:
    """Read whether there are offsets, of bands of levels or along edges; Cr has those of Cb."""
    is_some = read_bin(state, data, OFFSET_TYPE)
    if not is_some:
        return wide(_NONE)
    is_edge = read_bypass(state, data)
    return _BAND + is_edge


@compiled
def _skip_offsets(state: np.record, data: Bytes, kind: int, depth: int, has_class: int) -> None:
    if kind == _NONE:
        return
    most = (1 << (min(depth, _MOST_DEPTH) - 5)) - 1
    n_signs = wide(0)
    for _ in range(_N_OFFSETS):
        size = read_leading_ones(state, data, most)
        n_signs += wide(size > 0)
    n_bits = wide(0)
    if kind == _BAND:
        n_bits = n_signs + _BAND_BITS
    elif has_class:
        n_bits = wide(_CLASS_BITS)
    read_bypass_bits(state, data, n_bits)
