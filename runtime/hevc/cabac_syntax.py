"""Bits of the syntax elements around the coefficients: an arithmetic decoder whose registers lie in the state's record.

Few bits are read so, from many places: a call that takes little code is worth more there than speed. Coefficients keep
the registers to themselves, in residual.py.
"""

import numpy as np

from runtime.hevc.cabac import (
    DAMAGED,
    MOST_LEADING_ONES,
    Engine,
    decode_bin,
    decode_bypass,
    decode_bypass_bits,
    decode_leading_ones,
    renormalised,
    started,
)
from runtime.hevc.compiled import Bytes, compiled, inlined, wide

_READ_AHEAD = 16  # bytes that a position may be past the end: zeros are read there
_STOP_BIT = 0x80


@inlined
def engine_of(state: np.record) -> Engine:
    """Take the registers out of the record."""
    return Engine(state.value, state.range, state.n_spare, state.position)


@inlined
def keep(state: np.record, engine: Engine) -> None:
    """Put the registers back."""
    state.value, state.range, state.n_spare, state.position = engine


@compiled
def start_engine(state: np.record, data: Bytes, position: int) -> None:
    """Begin at a byte of the data."""
    keep(state, started(data, position))


@inlined
def byte_position(state: np.record) -> int:
    """Return the first byte that is not used, once the engine has ended."""
    return wide((state.position * 8 - state.n_spare + 7) >> 3)


@inlined
def ends_with_data(state: np.record, data: Bytes) -> bool:
    """Say whether the engine, once it has ended, has read up to the stop bit behind which the data end (9.3.2.5)."""
    n_bits = state.position * 8 - state.n_spare
    return bool(byte_position(state) == len(data) and wide(data[-1]) << (n_bits - 1 & 7) & 0xFF == _STOP_BIT)


@inlined
def has_run_out(state: np.record, data: Bytes) -> bool:
    """Say whether more was decoded than there is, or a code that can't be: the data are damaged."""
    return bool(state.position > len(data) + _READ_AHEAD)


@compiled
def read_bin(state: np.record, data: Bytes, index: int) -> int:
    """Read one bit by its context."""
    engine, bit = decode_bin(engine_of(state), data, state.contexts, index)
    keep(state, engine)
    return bit


@compiled
def read_bypass(state: np.record, data: Bytes) -> int:
    """Read one bit of equal odds."""
    engine, bit = decode_bypass(engine_of(state), data)
    keep(state, engine)
    return bit


@compiled
def read_bypass_bits(state: np.record, data: Bytes, count: int) -> int:
    """Read a number of so many bits of equal odds."""
    engine, number = decode_bypass_bits(engine_of(state), data, count)
    keep(state, engine)
    return number


@compiled
def read_leading_ones(state: np.record, data: Bytes, most: int) -> int:
    """Count ones of equal odds up to a zero or up to `most`."""
    engine, count = decode_leading_ones(engine_of(state), data, most)
    keep(state, engine)
    return count


@compiled
def read_exp_golomb(state: np.record, data: Bytes, order: int) -> int:
    """Read an Exp-Golomb code of the k-th order (9.3.3.5)."""
    n_ones = read_leading_ones(state, data, wide(MOST_LEADING_ONES))
    if n_ones == MOST_LEADING_ONES:
        state.position = DAMAGED
        return wide(0)
    return (((wide(1) << n_ones) - 1) << order) + read_bypass_bits(state, data, order + n_ones)


@compiled
def read_end(state: np.record, data: Bytes) -> int:
    """Read the bit that says that something ends here (9.3.4.3.5)."""
    width = state.range - 2
    if state.value >= width << state.n_spare:
        return wide(1)
    keep(state, renormalised(engine_of(state), data, width))
    return wide(0)
