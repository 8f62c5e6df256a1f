"""The data of one slice segment (7.3.8.1): its coding tree blocks, tile after tile, and rows that start anew.

wavefront   contexts of a row come from behind the second block of the row above
tile        contexts are reset at its first block
dependent   a segment goes on with the contexts that the one before it ended with
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvqe.partition import INTER, INTRA, SKIPPED
from runtime.hevc.cabac_syntax import byte_position, ends_with_data, has_run_out, read_end, start_engine
from runtime.hevc.coding_quadtree import read_coding_quadtree
from runtime.hevc.compiled import Bytes, compiled, entry, merged, wide
from runtime.hevc.contexts import N_BYTES, copy_contexts, reset_contexts
from runtime.hevc.sample_offsets import skip_sample_offsets

Order = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]  # of TileOrder
# what reading a segment ends with
WHOLE, RAN_OUT, MISALIGNED, PAST_PICTURE, NO_SUBSET_END, OVERLAPPED = range(6)
# behind the contexts of a dependent segment: the quantiser it goes on with, so much higher
CARRIED_BYTES, _CARRIED_QP_SHIFT = N_BYTES + 1, 64
# what is compiled into the one function that is cached: the modules that this one imports, and itself
SOURCES = (
    "cabac",
    "cabac_syntax",
    "coding_quadtree",
    "coding_unit",
    "compiled",
    "contexts",
    "intra_mode",
    "prediction_unit",
    "residual",
    "sample_offsets",
    "scans",
    "slice_data",
    "slice_maps",
    "transform_tree",
    "transform_unit",
)


def _digest() -> int:
    """Make a number of the sources, read when they are imported: later changes of them are not what runs."""
    texts = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in SOURCES]
    texts.append(bytes((INTER, INTRA, SKIPPED)))
    return int.from_bytes(hashlib.sha256(b"".join(texts)).digest()[:6], "big")


_SOURCES = _digest()


@compiled
def _is_same(slices: NDArray[np.int32], tiles: NDArray[np.int32], slice_address: int, here: int, there: int) -> int:
    """Say whether a block that was read is of the same slice and tile."""
    return wide(slices[there] == slice_address and tiles[there] == tiles[here])


@merged
def _begin_segment(state: np.record, data: Bytes, start: int, carried: Bytes) -> None:
    """Set contexts and quantiser to those of the slice, or to where the segment before ended."""
    start_engine(state, data, start)
    if state.is_dependent:
        copy_contexts(carried, state.contexts)
        state.last_qp = wide(carried[N_BYTES]) - _CARRIED_QP_SHIFT
    else:
        _reset(state)


@compiled
def _reset(state: np.record) -> None:
    """Set contexts and quantiser to those of the slice."""
    reset_contexts(state.contexts, state.context_kind, state.qp)
    state.last_qp = state.qp


@merged
def _read_blocks(
    data: Bytes,
    start: int,
    row_contexts: Bytes,
    carried: Bytes,
    order: Order,
    slices: NDArray[np.int32],
    maps: Bytes,
    state: np.record,
) -> int:
    address_of, place_of, tiles, first_column = order
    columns, log2, slice_address = state.columns, state.log2_coding_tree, state.slice_address
    n_blocks = columns * state.rows
    _begin_segment(state, data, start, carried)
    place = wide(place_of[state.address])
    while True:
        here = wide(address_of[place])
        if slices[here] >= 0:
            return OVERLAPPED
        slices[here] = slice_address
        row, column = here // columns, here % columns
        first = wide(first_column[column])
        has_left = wide(column > 0 and _is_same(slices, tiles, slice_address, here, here - 1))
        has_above = wide(row > 0 and _is_same(slices, tiles, slice_address, here, here - columns))
        if place == 0 or tiles[here] != tiles[address_of[place - 1]]:
            _reset(state)
        elif state.has_wavefronts and column == first:
            _reset(state)
            above_right = here - columns + 1
            if row > 0 and column + 1 < columns and _is_same(slices, tiles, slice_address, here, above_right):
                copy_contexts(row_contexts, state.contexts)

        if state.has_luma_offsets or state.has_chroma_offsets:
            skip_sample_offsets(state, data, has_left, has_above)
        read_coding_quadtree(state, data, maps, (column << log2, row << log2), has_left, has_above)
        if has_run_out(state, data):
            return RAN_OUT
        if state.has_wavefronts and column == first + 1:
            copy_contexts(state.contexts, row_contexts)

        place += 1
        if read_end(state, data):
            copy_contexts(state.contexts, carried)
            carried[N_BYTES] = state.last_qp + _CARRIED_QP_SHIFT
            state.next_place = place
            return WHOLE if ends_with_data(state, data) else MISALIGNED
        if place >= n_blocks:
            return PAST_PICTURE
        following = wide(address_of[place])
        is_new_row = state.has_wavefronts and following % columns == first_column[following % columns]
        if is_new_row or tiles[following] != tiles[here]:
            if not read_end(state, data):
                return NO_SUBSET_END
            start_engine(state, data, byte_position(state))


def _entry(sources: int) -> Callable[..., int]:
    """Return the function that is cached: for the very sources that it was compiled from.

    Numba looks at the file of a cached function, but not at the files of what that calls; what a function closes over
    is part of the cache's key.
    """

    @entry
    def read_slice_data(
        data: Bytes,
        start: int,
        row_contexts: Bytes,
        carried: Bytes,
        order: Order,
        slices: NDArray[np.int32],
        maps: Bytes,
        state: np.record,
    ) -> int:
        _ = sources
        return _read_blocks(data, start, row_contexts, carried, order, slices, maps, state)

    return read_slice_data


@cache
def slice_data_reader() -> Callable[..., int]:
    """Return the compiled function; the first call of it loads it from Numba's cache, or compiles.

    It reads one segment's data into the maps:

        read(data, start, row_contexts, carried, order, slices, maps, state) -> int

        data: the segment's payload, uint8 [n], read-only; start: where its slice data begin.
        row_contexts: uint8 [N_BYTES]; carried: uint8 [CARRIED_BYTES]: kept from segment to segment.
        order: of the picture's blocks, a TileOrder.
        slices: int32 [n_blocks], the address of the slice that a block was read from, -1 before.
        maps: uint8 [N_MAPS, H/4, W/4], written.
        state: a record of slice_parameters.py.

    Returns what it ended with: WHOLE, or how the data are damaged. It releases the GIL.
    """
    return _entry(_SOURCES)
