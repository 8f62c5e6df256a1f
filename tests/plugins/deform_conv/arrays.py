"""Arrays as the kernels see them: channels last, and bfloat16 as its bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def channels_last(tensor: NDArray[Any]) -> NDArray[Any]:
    """Return [N, H, W, C] of [N, C, H, W], contiguous."""
    return np.ascontiguousarray(np.moveaxis(tensor, 1, 3))


def bfloat16_bits(tensor: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the upper halves of float32, rounded to nearest, ties to even."""
    bits = tensor.view(np.uint32)
    return ((bits + ((bits >> 16) & 1) + 0x7FFF) >> 16).astype(np.uint16)


def from_bfloat16_bits(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the float32 of these upper halves."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
