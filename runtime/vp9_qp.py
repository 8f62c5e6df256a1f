"""VP9's quantiser index on the scale of H.264 and HEVC: the QP whose quantiser is as coarse."""

import math

import numpy as np

# index -> quantiser of AC coefficients at 8 bit, in eighths of a level (VP9 bitstream specification, ac_qlookup): where
# its slope changes, and some places on the exponential end. Between them straight lines are within 0.1 QP
_INDICES = (0, 1, 95, 120, 137, 150, 160, 169, 176, 182, 188, 198, 205, 215, 230, 245, 255)
_QUANTISERS = (4, 8, 102, 152, 203, 255, 305, 359, 408, 456, 510, 615, 702, 848, 1129, 1508, 1828)
_UNIT = 8


def qp_from_vp9(index: float) -> float:
    """Convert a quantiser index, 0 to 255 at every bit depth, to a QP: from -2 (lossless) to 51.

    A QP's quantiser is 2^((QP - 4) / 6) levels wide in H.264 and HEVC alike.
    """
    return 4 + 6 * math.log2(float(np.interp(index, _INDICES, _QUANTISERS)) / _UNIT)
