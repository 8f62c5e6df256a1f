"""The arithmetic decoder of H.265 (9.3.4.3), compiled.

                     n_spare bits
    value   |v v v v v v|. . . . . . . . . .|   next byte: data[position]
    width   |1 w w w w w|                       256 to 510
                        compared: value >= width << n_spare

The engine's registers are a tuple of numbers that every function takes and returns: so they stay in the processor's
registers, where an array of them would be written to memory and read again for each bit.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.hevc.compiled import Bytes, inlined, unsigned, wide

# rangeTabLps, table 9-46: by the state of the context, then by the quarter that the width lies in
_LESS_PROBABLE_WIDTHS = """
128 176 208 240 128 167 197 227 128 158 187 216 123 150 178 205 116 142 169 195 111 135 160 185 105 128 152 175
100 122 144 166  95 116 137 158  90 110 130 150  85 104 123 142  81  99 117 135  77  94 111 128  73  89 105 122
 69  85 100 116  66  80  95 110  62  76  90 104  59  72  86  99  56  69  81  94  53  65  77  89  51  62  73  85
 48  59  69  80  46  56  66  76  43  53  63  72  41  50  59  69  39  48  56  65  37  45  54  62  35  43  51  59
 33  41  48  56  32  39  46  53  30  37  43  50  29  35  41  48  27  33  39  45  26  31  37  43  24  30  35  41
 23  28  33  39  22  27  32  37  21  26  30  35  20  24  29  33  19  23  27  31  18  22  26  30  17  21  25  28
 16  20  23  27  15  19  22  25  14  18  21  24  14  17  20  23  13  16  19  22  12  15  18  21  12  14  17  20
 11  14  16  19  11  13  15  18  10  12  15  17  10  12  14  16   9  11  13  15   9  11  12  14   8  10  12  14
  8   9  11  13   7   9  11  12   7   9  10  12   7   8  10  11   6   8   9  11   6   7   9  10   6   7   8   9
  2   2   2   2"""
# transIdxLps, table 9-47
_AFTER_LESS_PROBABLE = """
 0  0  1  2  2  4  4  5  6  7  8  9  9 11 11 12 13 13 15 15 16 16 18 18 19 19 21 21 22 22 23 24
24 25 26 26 27 27 28 29 29 30 30 30 31 32 32 33 33 33 34 34 35 35 35 36 36 36 37 37 37 38 38 63"""
_N_STATES, FULL_WIDTH_BITS = 64, 9
# of an entry of STEPS: where the bits of its parts begin
_SHIFT, _NEXT_MORE, _CONTEXT_BITS = 8, 11, 7


def _steps() -> NDArray[np.uint32]:
    """All that one bit needs, by quarter of the width * 128 + context.

    Width of the less probable symbol, by how many bits that is renormalised, the context after the more probable
    symbol, and the one after the less probable.
    """
    widths = np.array(_LESS_PROBABLE_WIDTHS.split(), np.int64).reshape(_N_STATES, 4)
    after_less = np.array(_AFTER_LESS_PROBABLE.split(), np.int64)
    steps = np.empty((4, _N_STATES, 2), np.uint32)
    for quarter, state, symbol in np.ndindex(steps.shape):
        width = int(widths[state, quarter])
        more = (state + 1 if state < _N_STATES - 2 else state) << 1 | symbol
        less = int(after_less[state]) << 1 | symbol ^ (state == 0)
        next_contexts = more | less << _CONTEXT_BITS
        steps[quarter, state, symbol] = (
            width | FULL_WIDTH_BITS - width.bit_length() << _SHIFT | next_contexts << _NEXT_MORE
        )
    return steps.reshape(-1)


STEPS = _steps()
_WORD_BITS, _FEWEST_SPARE, MOST_AT_ONCE = 32, 16, wide(16)
# widths are divided by in bypass_bits(): n // width = n * RECIPROCAL[width] >> 35, exact below 2^25
_RECIPROCAL_BITS = 35
RECIPROCAL: NDArray[np.int64] = np.array([-(-(1 << _RECIPROCAL_BITS) // max(width, 1)) for width in range(512)])
MOST_LEADING_ONES = 32
_FIRST_WIDTH = 510
DAMAGED = 1 << 40


class Engine(NamedTuple):
    """The registers: `value` is ivlOffset and the spare bits behind it, `width` ivlCurrRange."""

    value: int
    width: int
    n_spare: int
    position: int


@inlined
def started(data: Bytes, position: int) -> Engine:
    """Begin at a byte of the data (9.3.2.6)."""
    value = wide(0)
    for place in range(position, position + 5):
        value = value << 8 | (wide(data[place]) if place < len(data) else 0)
    n_spare = wide(40 - FULL_WIDTH_BITS)
    # only damaged data begin with more than the width; below it, no number decoded has more bits than were asked for
    value = min(value, (wide(_FIRST_WIDTH) << n_spare) - 1)
    return Engine(value, wide(_FIRST_WIDTH), n_spare, wide(position + 5))


@inlined
def as_damaged(engine: Engine) -> Engine:
    """Return an engine that has run far out of the data."""
    return Engine(engine.value, engine.width, engine.n_spare, wide(DAMAGED))


@inlined
def _refilled(value: int, width: int, n_spare: int, position: int, data: Bytes) -> Engine:
    """Append a word when few spare bits are left; behind the end of the data come zeros."""
    if n_spare < _FEWEST_SPARE:
        value <<= _WORD_BITS
        n_spare += _WORD_BITS
        if position + 4 <= len(data):
            place, one = unsigned(position), unsigned(1)
            value |= (
                wide(data[place]) << 24
                | wide(data[place + one]) << 16
                | wide(data[place + one + one]) << 8
                | wide(data[place + one + one + one])
            )
        else:
            for place in range(position, min(position + 4, len(data))):
                value |= wide(data[place]) << 8 * (position + 3 - place)
        position += 4
    return Engine(value, width, n_spare, position)


@inlined
def decode_bin(engine: Engine, data: Bytes, contexts: Bytes, index: int) -> tuple[Engine, int]:
    """Decode one bit by its context, and adapt that (9.3.4.3.2); without a branch, for none could be foreseen."""
    place = unsigned(index)
    context = wide(contexts[place])
    step = wide(STEPS[(engine.width & 0xC0) << 1 | context])
    less = step & 0xFF
    width = engine.width - less
    bound = width << engine.n_spare
    is_less = wide(engine.value >= bound)
    chosen = -is_less
    contexts[place] = step >> (_NEXT_MORE + (chosen & _CONTEXT_BITS)) & 0x7F
    value = engine.value - (bound & chosen)
    # the more probable symbol shifts by one bit at most, where the width went below 256
    is_short = (width >> 8) ^ 1
    shift = is_short ^ ((is_short ^ (step >> _SHIFT & 7)) & chosen)
    width = (width ^ ((width ^ less) & chosen)) << shift
    return _refilled(value, width, engine.n_spare - shift, engine.position, data), (context ^ is_less) & 1


@inlined
def decode_bypass(engine: Engine, data: Bytes) -> tuple[Engine, int]:
    """Decode one bit of equal odds (9.3.4.3.4)."""
    n_spare = engine.n_spare - 1
    bound = engine.width << n_spare
    bit = wide(engine.value >= bound)
    return _refilled(engine.value - (bound & -bit), engine.width, n_spare, engine.position, data), bit


@inlined
def decode_few_bits(engine: Engine, data: Bytes, count: int) -> tuple[Engine, int]:
    """Decode up to 16 bits of equal odds: the value in units of the width is their number."""
    n_spare = engine.n_spare - count
    bits = ((engine.value >> n_spare) * RECIPROCAL[unsigned(engine.width)]) >> _RECIPROCAL_BITS
    value = engine.value - ((bits * engine.width) << n_spare)
    return _refilled(value, engine.width, n_spare, engine.position, data), bits


@inlined
def next_bits(engine: Engine) -> int:
    """Look at the next 16 bits of equal odds, and leave them there."""
    bits: int = (engine.value >> (engine.n_spare - MOST_AT_ONCE)) * RECIPROCAL[unsigned(engine.width)]
    return bits >> _RECIPROCAL_BITS


@inlined
def behind_bits(engine: Engine, data: Bytes, bits: int, count: int) -> Engine:
    """Pass over that many bits, which were looked at: 0 to 16 of them, the number that they are."""
    n_spare = engine.n_spare - count
    return _refilled(engine.value - ((bits * engine.width) << n_spare), engine.width, n_spare, engine.position, data)


@inlined
def decode_bypass_bits(engine: Engine, data: Bytes, count: int) -> tuple[Engine, int]:
    """Decode a number of so many bits of equal odds, the highest first; 0 bits are 0."""
    number = wide(0)
    while count > MOST_AT_ONCE:
        engine, bits = decode_few_bits(engine, data, MOST_AT_ONCE)
        number = number << MOST_AT_ONCE | bits
        count -= MOST_AT_ONCE
    engine, bits = decode_few_bits(engine, data, count)
    return engine, number << count | bits


@inlined
def decode_leading_ones(engine: Engine, data: Bytes, most: int) -> tuple[Engine, int]:
    """Count ones of equal odds up to a zero, which is read too, or up to `most`, behind which no zero stands."""
    count = wide(0)
    while count < most:
        engine, bit = decode_bypass(engine, data)
        if not bit:
            break
        count += 1
    return engine, count


@inlined
def renormalised(engine: Engine, data: Bytes, width: int) -> Engine:
    """Go on with a width that was 256 or more before it lost 2."""
    is_short = (width >> 8) ^ 1
    return _refilled(engine.value, width << is_short, engine.n_spare - is_short, engine.position, data)
