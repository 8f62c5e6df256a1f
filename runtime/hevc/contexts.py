"""The adaptive probabilities of CABAC: which syntax element uses which ones, and what they start from (9.3.2.2).

A context is one byte: bits 6 to 1 say how probable the likelier symbol is, bit 0 which one that is. All contexts of a
slice lie in one array, an element's one behind the other: contexts[SPLIT_CODING + depth]. Four bytes behind them hold
the statistics of persistent Rice adaptation, which are kept, copied and reset together with them.
"""

from itertools import accumulate

import numpy as np

from runtime.hevc.compiled import Bytes, compiled, wide

# initValue of every context of an element, for I slices, then for the two initialisations of P and B slices; one
# row stands for all three. H.265, tables 9-5 to 9-37
_LAST_PREFIX = (
    "110 110 124 125 140 153 125 127 140 109 111 143 127 111 79 108 123 63",
    "125 110 94 110 95 79 125 111 110 78 110 111 111 95 94 108 123 108",
    "125 110 124 110 95 94 125 111 111 79 125 126 111 111 79 108 123 93",
)
_SIGNIFICANT = (
    "111 111 125 110 110 94 124 108 124 107 125 141 179 153 125 107 125 141 179 153 125 107 125 141 179 153 125 "
    "140 139 182 182 152 136 152 136 153 136 139 111 136 139 111 141 111",
    "155 154 139 153 139 123 123 63 153 166 183 140 136 153 154 166 183 140 136 153 154 166 183 140 136 153 154 "
    "170 153 123 123 107 121 107 121 167 151 183 140 151 183 140 140 140",
    "170 154 139 153 139 123 123 63 124 166 183 140 136 153 154 166 183 140 136 153 154 166 183 140 136 153 154 "
    "170 153 138 138 122 121 122 121 167 151 183 140 151 183 140 140 140",
)
_GREATER_THAN_1 = (
    "140 92 137 138 140 152 138 139 153 74 149 92 139 107 122 152 140 179 166 182 140 227 122 197",
    "154 196 196 167 154 152 167 182 182 134 149 136 153 121 136 137 169 194 166 167 154 167 137 182",
    "154 196 167 167 154 152 167 182 182 134 149 136 153 121 136 122 169 208 166 167 154 152 167 182",
)
_TEXTS: dict[str, tuple[str, ...]] = {
    "offset_merge": ("153",),
    "offset_type": ("200", "185", "160"),
    "split_coding": ("139 141 157", "107 139 126", "107 139 126"),
    "lossless": ("154",),
    "skip": ("154 154 154", "197 185 201", "197 185 201"),
    "prediction_mode": ("154", "149", "134"),
    "part_mode": ("184 154 154 154", "154 139 154 154", "154 139 154 154"),
    "is_probable_mode": ("184", "154", "183"),
    "chroma_mode": ("63", "152", "152"),
    "has_residual": ("154", "79", "79"),
    "merge": ("154", "110", "154"),
    "merge_index": ("154", "122", "137"),
    "direction": ("154 154 154 154 154", "95 79 63 31 31", "95 79 63 31 31"),
    "reference": ("154 154", "153 153", "153 153"),
    "predictor": ("154", "168", "168"),
    "split_transform": ("153 138 138", "124 138 94", "224 167 122"),
    "coded_luma": ("111 141", "153 111", "153 111"),
    "coded_chroma": ("94 138 182 154 154", "149 107 167 154 154", "149 92 167 154 154"),
    "motion_greater_0": ("154", "140", "169"),
    "motion_greater_1": ("154", "198", "198"),
    "qp_delta": ("154 154",),
    "transform_skip": ("139 139",),
    "last_x": _LAST_PREFIX,
    "last_y": _LAST_PREFIX,
    "coded_group": ("91 171 134 141", "121 140 61 154", "121 140 61 154"),
    "significant": _SIGNIFICANT,
    "greater_1": _GREATER_THAN_1,
    "greater_2": ("138 153 136 167 152 152", "107 167 91 122 107 167", "107 167 91 107 107 167"),
    "explicit_rdpcm": ("139 139",),
    "rdpcm_direction": ("139 139",),
    "cross_component": ("154 154 154 154 154 154 154 154",),
    "cross_component_sign": ("154 154",),
    "chroma_offset": ("154",),
    "chroma_offset_index": ("154",),
}
_INITIAL = {name: [[int(value) for value in row.split()] for row in rows] for name, rows in _TEXTS.items()}
_COUNTS = [len(rows[0]) for rows in _INITIAL.values()]
# numbers of 64 bits, for Numba compiles a function anew for every plain number that it is called with
_FIRST = {name: wide(first) for name, first in zip(_INITIAL, accumulate([0, *_COUNTS]), strict=False)}

OFFSET_MERGE, OFFSET_TYPE = _FIRST["offset_merge"], _FIRST["offset_type"]
SPLIT_CODING, LOSSLESS, SKIP = _FIRST["split_coding"], _FIRST["lossless"], _FIRST["skip"]
PREDICTION_MODE, PART_MODE = _FIRST["prediction_mode"], _FIRST["part_mode"]
IS_PROBABLE_MODE, CHROMA_MODE = _FIRST["is_probable_mode"], _FIRST["chroma_mode"]
HAS_RESIDUAL, MERGE, MERGE_INDEX = _FIRST["has_residual"], _FIRST["merge"], _FIRST["merge_index"]
DIRECTION, REFERENCE, PREDICTOR = _FIRST["direction"], _FIRST["reference"], _FIRST["predictor"]
MOTION_GREATER_0, MOTION_GREATER_1 = _FIRST["motion_greater_0"], _FIRST["motion_greater_1"]
SPLIT_TRANSFORM, CODED_LUMA, CODED_CHROMA = _FIRST["split_transform"], _FIRST["coded_luma"], _FIRST["coded_chroma"]
QP_DELTA, CHROMA_OFFSET = _FIRST["qp_delta"], _FIRST["chroma_offset"]
CHROMA_OFFSET_INDEX = _FIRST["chroma_offset_index"]
CROSS_COMPONENT, CROSS_COMPONENT_SIGN = _FIRST["cross_component"], _FIRST["cross_component_sign"]
TRANSFORM_SKIP, EXPLICIT_RDPCM = _FIRST["transform_skip"], _FIRST["explicit_rdpcm"]
RDPCM_DIRECTION, LAST_X, LAST_Y = _FIRST["rdpcm_direction"], _FIRST["last_x"], _FIRST["last_y"]
CODED_GROUP, SIGNIFICANT = _FIRST["coded_group"], _FIRST["significant"]
GREATER_1, GREATER_2 = _FIRST["greater_1"], _FIRST["greater_2"]

N_CONTEXTS = sum(_COUNTS)
RICE_STATISTICS, N_RICE_STATISTICS = N_CONTEXTS, 4
N_BYTES = N_CONTEXTS + N_RICE_STATISTICS
INITIAL_VALUES: Bytes = np.array(
    [[value for rows in _INITIAL.values() for value in rows[kind % len(rows)]] for kind in range(3)], np.uint8
)


@compiled
def reset_contexts(contexts: Bytes, kind: int, qp: int) -> None:
    """Set all contexts to where a slice begins, 9.3.2.2.

    Args:
        contexts: uint8 [N_BYTES], written.
        kind: row of INITIAL_VALUES, initType.
        qp: the slice's quantiser.
    """
    qp = min(max(qp, 0), 51)
    for number in range(N_CONTEXTS):
        value = wide(INITIAL_VALUES[kind, number])
        slope, offset = (value >> 4) * 5 - 45, ((value & 15) << 3) - 16
        state = min(max(((slope * qp) >> 4) + offset, 1), 126)
        contexts[number] = (63 - state) << 1 if state <= 63 else (state - 64) << 1 | 1
    for place in range(N_CONTEXTS, N_BYTES):
        contexts[place] = 0


@compiled
def copy_contexts(source: Bytes, target: Bytes) -> None:
    """Copy all contexts, a byte at a time: a slice's assignment takes Numba four seconds to compile."""
    for number in range(N_BYTES):
        target[number] = source[number]
