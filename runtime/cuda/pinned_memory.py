"""Page-locked host memory, seen by NumPy as arrays and by the driver as an address."""

import ctypes
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PinnedMemory:
    """A piece of page-locked memory; whoever allocated it frees it."""

    address: int
    size_bytes: int

    def view(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array over a part of it, not a copy; not to be used once the memory was given back."""
        size_bytes = prod(shape) * dtype.itemsize
        assert 0 <= offset <= self.size_bytes - size_bytes
        held = (ctypes.c_uint8 * size_bytes).from_address(self.address + offset)
        return np.frombuffer(memoryview(held), dtype).reshape(shape)
