"""Plugin fields: which attributes of a node TensorRT is to hand over, and how an engine carries our kernels."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ModelError
from plugins.deform_conv.compiled_kernel import CompiledKernel, compiled_kernel_from_bytes

KERNEL_FIELD = "cvqe_kernel_sm"  # and the compute capability: cvqe_kernel_sm89


class Fields:
    """A PluginFieldCollection with the arrays it points into, which TensorRT does not keep alive."""

    def __init__(self, trt: ModuleType, arrays: Mapping[str, NDArray[Any]], kind: Any) -> None:
        self._arrays = dict(arrays)
        self._fields = [trt.PluginField(name, array, kind) for name, array in self._arrays.items()]
        self.collection = trt.PluginFieldCollection(self._fields)


def declared_fields(trt: ModuleType, names: Sequence[str]) -> Fields:
    """Return the fields that tell the parser which attributes of a node to hand over, as integers."""
    return Fields(trt, {name: np.zeros(0, np.int32) for name in names}, trt.PluginFieldType.INT32)


def kernel_fields(trt: ModuleType, kernels: Sequence[CompiledKernel]) -> Fields:
    """Return the fields an engine carries: one per compute capability, with the whole kernel as bytes."""
    arrays = {
        f"{KERNEL_FIELD}{kernel.compute_capability}": np.frombuffer(kernel.to_bytes(), np.uint8) for kernel in kernels
    }
    return Fields(trt, arrays, trt.PluginFieldType.CHAR)


def kernels_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> tuple[CompiledKernel, ...]:
    """Return the kernels that `kernel_fields` wrote into an engine.

    Raises:
        ModelError: there is none, or one is damaged.
    """
    kernels = tuple(
        compiled_kernel_from_bytes(array.tobytes()) for name, array in arrays.items() if name.startswith(KERNEL_FIELD)
    )
    if not kernels:
        raise ModelError("the engine carries no DeformConv kernel; build it again from its ONNX file.")
    return kernels
