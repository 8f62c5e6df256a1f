"""How functions that read slice data are compiled by Numba, in words that type checkers understand.

What is `compiled` or `inlined` is compiled together with the function that calls it, and cached nowhere by itself:
the one entry, in slice_data.py, is cached with all that it calls.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
Bytes = NDArray[np.uint8]

if TYPE_CHECKING:
    wide = int
else:
    wide = np.int64  # a number of 64 bits, whatever it was read from: a byte would wrap around in plain Python


def compiled(function: Function) -> Function:
    """Compile it as a function of its own."""
    result: Function = njit(error_model="numpy")(function)
    return result


def inlined(function: Function) -> Function:
    """Compile it into each function that calls it, whose registers then hold its numbers."""
    result: Function = njit(error_model="numpy", forceinline=True)(function)
    return result


def merged(function: Function) -> Function:
    """Put its statements into the one function that calls it: what is compiled alone is optimised once more there."""
    result: Function = njit(error_model="numpy", inline="always")(function)
    return result
