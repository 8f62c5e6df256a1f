"""The 8-bit formats: what the largest number is, how a value is rounded, how ONNX calls it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Format:
    """A symmetric 8-bit format: a number is scale times what is stored; there is no zero_point.

    Attributes:
        largest: what amax is mapped to, so scale = amax / largest.
        onnx_type: of the stored tensor.
        observers: those of calibration.observers.OBSERVERS that suit it, the default first.
        rounded: numbers, already divided by their scale and within [-largest, largest], as they are stored.
    """

    name: str
    largest: float
    onnx_type: int
    observers: Sequence[str]
    rounded: Callable[[Floats], NDArray[Any]]

    @property
    def observer(self) -> str:
        """What amax is chosen by unless told otherwise."""
        return self.observers[0]

    def store(self, scaled: Floats) -> NDArray[Any]:
        """Round numbers that were divided by their scale; beyond the largest one they saturate."""
        return self.rounded(np.clip(scaled, -self.largest, self.largest))


def _to_int8(scaled: Floats) -> NDArray[Any]:
    return np.asarray(np.rint(scaled).astype(np.int8))


def _to_e4m3(scaled: Floats) -> NDArray[Any]:
    return np.asarray(scaled.astype(ml_dtypes.float8_e4m3fn))


# -128 stays unused: scales are symmetric
INT8 = Format("int8", 127.0, TensorProto.INT8, ("entropy", "mse", "percentile", "min-max"), _to_int8)
# 4 bits of exponent, 3 of mantissa (Micikevicius et al., 2022): small numbers are as exact as large ones, so that
# nothing is won by clipping the largest
FP8 = Format("fp8", 448.0, TensorProto.FLOAT8E4M3FN, ("min-max", "percentile"), _to_e4m3)
FORMATS: Mapping[str, Format] = {each.name: each for each in (INT8, FP8)}
