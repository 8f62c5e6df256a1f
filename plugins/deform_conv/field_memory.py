"""What a plugin field holds, also where TensorRT's module was made for NumPy 1 and NumPy 2 is installed.

There `PluginField.data` has the right length and repeats the first element (tried: 10.15.1 does, 10.16.1 and 11.4 do
not). The field itself is whole, so it is read from memory: a Python object of pybind11 begins with its header and the
address of the C++ object, whose layout is part of TensorRT's interface.
"""

import ctypes
import functools
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import BackendError

PROBE = np.array([3, 1, 2], np.int32)
DTYPES: dict[str, type[np.generic]] = {
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FLOAT32": np.float32,
    "FLOAT64": np.float64,
    "CHAR": np.int8,
}


class _PluginField(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int32),
        ("length", ctypes.c_int32),
    )


def arrays_of(trt: ModuleType, fields: Iterable[Any]) -> dict[str, NDArray[Any]]:
    """Return copies of what the fields hold, by name; TensorRT frees the originals when its call is over.

    Raises:
        BackendError: this TensorRT and this NumPy can't be made to work together.
    """
    read = _from_memory if _data_is_broken(trt) else _from_data
    return {field.name: read(field) for field in fields}


@functools.cache
def _data_is_broken(trt: ModuleType) -> bool:
    probe = trt.PluginField("probe", PROBE, trt.PluginFieldType.INT32)
    if np.array_equal(_from_data(probe), PROBE):
        return False
    if _stored(probe).length != PROBE.size or not np.array_equal(_from_memory(probe), PROBE):
        raise BackendError(
            f"TensorRT {trt.__version__} can't hand over the attributes of a plugin under NumPy {np.__version__}.\n"
            "Update it:  pip install --upgrade tensorrt-cu13"
        )
    return True


def _from_data(field: Any) -> NDArray[Any]:
    return np.array(field.data)


def _from_memory(field: Any) -> NDArray[Any]:
    stored, dtype = _stored(field), np.dtype(DTYPES[field.type.name])
    return np.frombuffer(ctypes.string_at(stored.data or 0, stored.length * dtype.itemsize), dtype)


def _stored(field: Any) -> _PluginField:
    address = ctypes.c_void_p.from_address(id(field) + object.__basicsize__).value
    return _PluginField.from_address(address or 0)
