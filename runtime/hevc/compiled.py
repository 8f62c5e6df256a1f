"""How functions that read slice data are compiled by Numba, in words that type checkers understand.

What is `compiled` or `inlined` is compiled together with the function that calls it, and cached nowhere by itself:
the one entry, in slice_data.py, is cached with all that it calls.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

log = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., Any])
Bytes = NDArray[np.uint8]
# without Numba's counts of references, for nothing is allocated: counting at every call takes two thirds of the time
OPTIONS: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
_INNER = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # never called from Python

if TYPE_CHECKING:
    wide = unsigned = int
else:
    wide = np.int64  # a number of 64 bits, whatever it was read from: a byte would wrap around in plain Python
    unsigned = np.uint64  # an index that counts from no array's end: that would be looked for at each access


def compiled(function: Function) -> Function:
    """Compile it as a function of its own."""
    result: Function = njit(**_INNER)(function)
    return result


def inlined(function: Function) -> Function:
    """Compile it into each function that calls it, whose registers then hold its numbers."""
    result: Function = njit(**_INNER, forceinline=True)(function)
    return result


def entry(function: Function) -> Function:
    """Compile what is called from Python, without the GIL, and keep it for other processes if a folder can be written.

    Numba's own choice: `__pycache__` beside the source, the user's cache folder, or what NUMBA_CACHE_DIR names.
    """
    options = {**OPTIONS, "nogil": True}
    try:
        result: Function = njit(cache=True, **options)(function)
    except RuntimeError as error:  # "no locator available"
        log.warning("the compiled parser can't be kept, so every start takes half a minute: %s", error)
        result = njit(**options)(function)
    return result


def merged(function: Function) -> Function:
    """Put its statements into the one function that calls it: what is compiled alone is optimised once more there."""
    result: Function = njit(**_INNER, inline="always")(function)
    return result
