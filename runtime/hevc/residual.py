"""The coefficients of one transform block, passed over (7.3.8.11): only how many bits they take matters here.

block   groups of 4x4, coded from the last one that is not empty back to the first
group   which coefficients are not 0, which exceed 1, whether the first of those exceeds 2, signs, what remains
"""

import numpy as np

from runtime.hevc.cabac import (
    MOST_AT_ONCE,
    Engine,
    as_damaged,
    behind_bits,
    decode_bin,
    decode_bypass_bits,
    decode_few_bits,
    decode_leading_ones,
    next_bits,
)
from runtime.hevc.cabac_syntax import engine_of, keep
from runtime.hevc.compiled import Bytes, compiled, inlined, unsigned, wide
from runtime.hevc.contexts import (
    CODED_GROUP,
    EXPLICIT_RDPCM,
    GREATER_1,
    GREATER_2,
    LAST_X,
    LAST_Y,
    RDPCM_DIRECTION,
    RICE_STATISTICS,
    SIGNIFICANT,
    TRANSFORM_SKIP,
)
from runtime.hevc.scans import DIAGONAL, HORIZONTAL, SCAN_NUMBER, SCAN_X, SCAN_Y, VERTICAL

FULL_CHROMA = 3  # chroma_format_idc of 4:4:4
HORIZONTAL_MODE, VERTICAL_MODE = 10, 26  # of intra prediction
_SCAN_RANGE = 4  # directions so near to these two change the order of coding
_GROUP_LOG2, _GROUP_SIZE, _MOST_GROUPS_LOG2 = 2, 16, 3
_MOST_GREATER_1, _MOST_PREFIX, _SHORT_PREFIX, _MOST_RICE = 8, 32, 3, 4
_MOST_ADAPTED_RICE, _MOST_STATISTIC = 32, 127  # far above what any depth needs
_SINGLE_CONTEXT_LUMA, _SINGLE_CONTEXT_CHROMA = SIGNIFICANT + 42, SIGNIFICANT + 43
_CHROMA_SIGNIFICANT, _CHROMA_GREATER_1, _CHROMA_GREATER_2 = SIGNIFICANT + 27, GREATER_1 + 16, GREATER_2 + 4

# sigCtx of a 4x4 transform by place (9.3.4.2.5), and of a group by the neighbours that are coded and by place
_OF_SMALL_BLOCK = (0, 1, 4, 5, 2, 3, 4, 5, 6, 6, 8, 8, 7, 7, 8, 8)
_SINGLE_ROW, _N_ROWS = 15, 16


def _of_group(neighbors: int, x: int, y: int) -> int:
    """Give the context's number: nearer to a coded neighbour, a coefficient is likelier."""
    if neighbors == 3:
        return 2
    distance = (x + y, y, x)[neighbors]
    if neighbors == 0:
        return 2 if distance == 0 else int(distance < 3)
    return max(2 - distance, 0)


def _significant_contexts() -> Bytes:
    """Rows 0 to 2: a 4x4 transform by scan; 3 to 14: a group by neighbours * 3 + scan; 15: one context for all."""
    rows = np.zeros((_N_ROWS, _GROUP_SIZE), np.uint8)
    for scan in (DIAGONAL, HORIZONTAL, VERTICAL):
        for number in range(_GROUP_SIZE):
            x, y = int(SCAN_X[_GROUP_LOG2, scan, number]), int(SCAN_Y[_GROUP_LOG2, scan, number])
            rows[scan, number] = _OF_SMALL_BLOCK[4 * y + x]
            for neighbors in range(4):
                rows[3 + 3 * neighbors + scan, number] = _of_group(neighbors, x, y)
    return rows


SIGNIFICANT_CONTEXTS = _significant_contexts().reshape(-1)
# greater1Ctx of the next coefficient, by that of this one * 2 + whether it exceeds 1 (9.3.4.2.6)
NEXT_GREATER_1 = np.array([0, 0, 2, 0, 3, 0, 3, 0], np.uint8)
# of four bits, the highest first: how many ones stand before a zero
LEADING_ONES = np.array([4 - (number ^ 15).bit_length() for number in range(16)], np.uint8)


@compiled
def skip_residual(
    state: np.record,
    data: Bytes,
    log2: int,
    component: int,
    direction: int,
    is_intra: int,
    is_lossless: int,
) -> None:
    """Pass over residual_coding().

    Args:
        state: of the slice segment; registers and contexts are changed.
        data: the slice segment's payload.
        log2: of the block's side in its own samples, 2 to 5.
        component: 0 for luma, 1 and 2 for chroma.
        direction: intra mode, which decides about the order of coefficients; with is_intra.
        is_intra: the coding unit's prediction mode.
        is_lossless: the coding unit bypasses transform and quantisation.
    """
    rules, contexts, engine = state, state.contexts, engine_of(state)
    is_chroma = wide(component > 0)
    skips_transform, is_explicit = wide(0), wide(0)
    if rules.has_transform_skip and not is_lossless and log2 <= rules.log2_max_transform_skip:
        engine, skips_transform = decode_bin(engine, data, contexts, TRANSFORM_SKIP + is_chroma)
    if rules.has_explicit_rdpcm and not is_intra and (skips_transform or is_lossless):
        engine, is_explicit = decode_bin(engine, data, contexts, EXPLICIT_RDPCM + is_chroma)
        if is_explicit:
            engine, _ = decode_bin(engine, data, contexts, RDPCM_DIRECTION + is_chroma)
    is_raw = wide(skips_transform or is_lossless)
    is_along = direction in (HORIZONTAL_MODE, VERTICAL_MODE)
    is_implicit = is_intra and rules.has_implicit_rdpcm and skips_transform and is_along
    hides_signs = rules.hides_signs and not (is_lossless or is_implicit or is_explicit)
    scan = _scan(rules, log2, component, direction, is_intra)

    engine, x, y = _last_position(engine, data, contexts, log2, is_chroma)
    if scan == VERTICAL:
        x, y = y, x
    groups_log2 = log2 - _GROUP_LOG2
    last_group = wide(SCAN_NUMBER[groups_log2, scan, (y >> 2) << groups_log2 | x >> 2])
    last = wide(SCAN_NUMBER[_GROUP_LOG2, scan, (y & 3) << 2 | x & 3])
    # how contexts are chosen: one for all, or by place in a block of 4x4, or by coded neighbours
    has_single = wide(rules.has_single_skip_context and is_raw)
    first_context = _first_context(log2, is_chroma, scan, has_single)
    corner_context = first_context if has_single else (_CHROMA_SIGNIFICANT if is_chroma else SIGNIFICANT)
    rice_place = RICE_STATISTICS + 2 * (1 - is_chroma) + is_raw

    coded_groups = wide(0)
    greater_context = wide(1)
    for group in range(last_group, -1, -1):
        column, row = wide(SCAN_X[groups_log2, scan, group]), wide(SCAN_Y[groups_log2, scan, group])
        place = row << _MOST_GROUPS_LOG2 | column
        neighbors = _coded_neighbors(coded_groups, column, row, groups_log2)
        is_coded, is_told = wide(1), wide(0)
        if 0 < group < last_group:
            is_told = wide(1)
            engine, is_coded = decode_bin(engine, data, contexts, CODED_GROUP + wide(neighbors > 0) + 2 * is_chroma)
            if not is_coded:
                continue
        coded_groups |= wide(1) << place

        # which coefficients are not 0: bit n of `significant` is the n-th of the scan
        significant, n_significant, start = wide(0), wide(0), wide(_GROUP_SIZE - 1)
        if group == last_group:
            significant, n_significant, start = wide(1) << last, wide(1), last - 1
        row_of = _SINGLE_ROW if has_single else (scan if log2 == 2 else 3 + 3 * neighbors + scan)
        row_of *= _GROUP_SIZE
        base = first_context
        if not is_chroma and group > 0 and not has_single and log2 > 2:
            base += 3
        for number in range(start, 0, -1):
            index = base + wide(SIGNIFICANT_CONTEXTS[unsigned(row_of + number)])
            engine, bit = decode_bin(engine, data, contexts, index)
            significant |= bit << number
            n_significant += bit
        if start >= 0:
            bit = wide(1)  # the last one of a group that is known to hold some, when no other does
            if n_significant or not is_told:
                index = base + wide(SIGNIFICANT_CONTEXTS[row_of]) if group else corner_context
                engine, bit = decode_bin(engine, data, contexts, index)
            significant |= bit
            n_significant += bit
        if n_significant == 0:
            continue

        # which of the first eight exceed 1, in the order of coding; then whether the first of those exceeds 2
        context_set = wide(0) if group == 0 or is_chroma else wide(2)
        context_set += wide(greater_context == 0)
        greater_context = wide(1)
        greater = wide(0)
        first_greater = (_CHROMA_GREATER_1 if is_chroma else GREATER_1) + 4 * context_set
        for number in range(min(n_significant, _MOST_GREATER_1)):
            engine, bit = decode_bin(engine, data, contexts, first_greater + greater_context)
            greater |= bit << number
            greater_context = wide(NEXT_GREATER_1[unsigned(greater_context << 1 | bit)])
        exceeds_2 = wide(0)
        if greater:
            index = (_CHROMA_GREATER_2 if is_chroma else GREATER_2) + context_set
            engine, exceeds_2 = decode_bin(engine, data, contexts, index)
        has_rest = exceeds_2 or n_significant > _MOST_GREATER_1 or greater & (greater - 1)

        # a sign is hidden where first and last coefficient lie more than 3 apart
        lowest = significant & -significant
        is_hidden = wide(hides_signs and significant >= lowest << 4)
        engine, _ = decode_few_bits(engine, data, n_significant - is_hidden)
        if has_rest:
            engine = _skip_rests(engine, data, contexts, rules, n_significant, greater, exceeds_2, rice_place)
    keep(state, engine)


@compiled
def _scan(rules: np.record, log2: int, component: int, direction: int, is_intra: int) -> int:
    """Choose the order of coefficients: across the direction of prediction, in small blocks (7.4.9.11, scanIdx)."""
    has_choice = log2 == 2 or (log2 == 3 and (component == 0 or rules.chroma_format == FULL_CHROMA))
    if not (is_intra and has_choice):
        return DIAGONAL
    if abs(direction - HORIZONTAL_MODE) <= _SCAN_RANGE:
        return VERTICAL
    return HORIZONTAL if abs(direction - VERTICAL_MODE) <= _SCAN_RANGE else DIAGONAL


@compiled
def _last_position(engine: Engine, data: Bytes, contexts: Bytes, log2: int, is_chroma: int) -> tuple[Engine, int, int]:
    """Read where the last coefficient lies: two prefixes, then their suffixes."""
    offset, shift = (wide(15), log2 - 2) if is_chroma else (3 * (log2 - 2) + ((log2 - 1) >> 2), (log2 + 1) >> 2)
    engine, x = _prefix(engine, data, contexts, LAST_X + offset, shift, 2 * log2 - 1)
    engine, y = _prefix(engine, data, contexts, LAST_Y + offset, shift, 2 * log2 - 1)
    engine, x = _with_suffix(engine, data, x)
    engine, y = _with_suffix(engine, data, y)
    return engine, x, y


@inlined
def _prefix(engine: Engine, data: Bytes, contexts: Bytes, first: int, shift: int, most: int) -> tuple[Engine, int]:
    count = wide(0)
    while count < most:
        engine, bit = decode_bin(engine, data, contexts, first + (count >> shift))
        if not bit:
            break
        count += 1
    return engine, count


@inlined
def _with_suffix(engine: Engine, data: Bytes, prefix: int) -> tuple[Engine, int]:
    if prefix <= _SHORT_PREFIX:
        return engine, prefix
    n_bits = (prefix >> 1) - 1
    engine, suffix = decode_bypass_bits(engine, data, n_bits)
    return engine, ((2 + (prefix & 1)) << n_bits) + suffix


@compiled
def _coded_neighbors(coded_groups: int, column: int, row: int, groups_log2: int) -> int:
    """Say which groups beside and below are coded: bit 0 the right one, bit 1 the lower one (csbfCtx)."""
    place, end = row << _MOST_GROUPS_LOG2 | column, 1 << groups_log2
    right = coded_groups >> (place + 1) & 1 if column + 1 < end else wide(0)
    below = coded_groups >> (place + 8) & 1 if row + 1 < end else wide(0)
    return right | below << 1


@compiled
def _first_context(log2: int, is_chroma: int, scan: int, has_single: int) -> int:
    """Give the first of the contexts that tell which coefficients are not 0, for a block of this kind."""
    if has_single:
        return wide(_SINGLE_CONTEXT_CHROMA if is_chroma else _SINGLE_CONTEXT_LUMA)
    if is_chroma:
        return _CHROMA_SIGNIFICANT + (wide(0) if log2 == 2 else (wide(9) if log2 == 3 else wide(12)))
    if log2 == 2:
        return wide(SIGNIFICANT)
    return SIGNIFICANT + (wide(21) if log2 > 3 else (wide(9) if scan == DIAGONAL else wide(15)))


@compiled
def _skip_rests(
    engine: Engine,
    data: Bytes,
    contexts: Bytes,
    rules: np.record,
    n_significant: int,
    greater: int,
    exceeds_2: int,
    rice_place: int,
) -> Engine:
    """Pass over what remains of each coefficient above what its flags told (coeff_abs_level_remaining)."""
    statistic = wide(contexts[rice_place])
    rice = statistic >> 2 if rules.has_rice_adaptation else wide(0)
    most_rice = _MOST_ADAPTED_RICE if rules.has_rice_adaptation else _MOST_RICE
    is_first, is_first_greater = True, True
    for number in range(n_significant):
        base = wide(1)
        if number < _MOST_GREATER_1:
            if not greater >> number & 1:
                continue
            base = wide(2)
            if is_first_greater:
                is_first_greater = False
                base = wide(3)
                if not exceeds_2:
                    continue
        bits = next_bits(engine)
        n_ones = wide(LEADING_ONES[unsigned(bits >> (MOST_AT_ONCE - _SHORT_PREFIX - 1))])
        if n_ones <= _SHORT_PREFIX and rice <= _MOST_RICE:
            bits >>= MOST_AT_ONCE - 1 - n_ones - rice
            engine = behind_bits(engine, data, bits, n_ones + 1 + rice)
            rest = n_ones << rice | bits & ((wide(1) << rice) - 1)
        else:
            engine, rest = _rest(engine, data, rice)
        if rules.has_rice_adaptation and is_first:
            contexts[rice_place] = _adapted(statistic, rest)
        is_first = False
        if base + rest > 3 << rice:
            rice = min(rice + 1, most_rice)
    return engine


@compiled
def _rest(engine: Engine, data: Bytes, rice: int) -> tuple[Engine, int]:
    """Read one Rice code that goes over into an Exp-Golomb code (9.3.3.11)."""
    engine, prefix = decode_leading_ones(engine, data, wide(_MOST_PREFIX))
    if prefix <= _SHORT_PREFIX:
        engine, rest = decode_bypass_bits(engine, data, rice)
        return engine, (prefix << rice) + rest
    if prefix == _MOST_PREFIX:
        return as_damaged(engine), wide(0)
    engine, rest = decode_bypass_bits(engine, data, prefix - _SHORT_PREFIX + rice)
    return engine, (((wide(1) << (prefix - _SHORT_PREFIX)) + _SHORT_PREFIX - 1) << rice) + rest


@compiled
def _adapted(statistic: int, rest: int) -> int:
    """Move the statistic of Rice parameters towards a block's first code (9.3.4.2.7)."""
    if rest >= 3 << (statistic >> 2):
        return min(statistic + 1, _MOST_STATISTIC)
    if 2 * rest < 1 << (statistic >> 2):
        return max(statistic - 1, 0)
    return statistic
