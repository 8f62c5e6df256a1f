"""What flows through a network on real samples: its inner tensors, tapped as outputs of an ONNX Runtime session."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from calibration.observers import Magnitudes

Feeds = Mapping[str, NDArray[Any]]


class Tap:
    """A session that returns float32 tensors by name."""

    def __init__(self, model: onnx.ModelProto, names: Sequence[str]) -> None:
        watched = onnx.ModelProto()
        watched.CopyFrom(model)
        there = {value.name for value in model.graph.output}
        new = [name for name in dict.fromkeys(names) if name not in there]
        watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in new)
        self.names = list(names)
        self._session = session_of(watched)

    def __call__(self, feeds: Feeds) -> list[NDArray[np.float32]]:
        """Run one sample."""
        if not self.names:
            return []  # of no name ONNX Runtime returns every output
        values: list[NDArray[np.float32]] = self._session.run(self.names, dict(feeds))
        return values


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Open a model on the CPU; rounding to int8 and FP8 is ONNX Runtime's own, in its kernels."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # samples differ in size
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def observe(model: onnx.ModelProto, names: Sequence[str], samples: Iterable[Feeds]) -> dict[str, Magnitudes]:
    """Count the magnitudes of these tensors over all samples.

    Raises:
        ModelError: one holds NaN or infinity.
    """
    seen = {name: Magnitudes(name) for name in names}
    for values in tapped(model, names, samples):
        for name, value in zip(names, values, strict=True):
            seen[name].see(value)
    return seen


def tapped(
    model: onnx.ModelProto, names: Sequence[str], samples: Iterable[Feeds]
) -> Iterator[list[NDArray[np.float32]]]:
    """Yield the values of these tensors for each sample in turn."""
    tap = Tap(model, names)
    for feeds in samples:
        yield tap(feeds)
