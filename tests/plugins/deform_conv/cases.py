"""Inputs for one deformable convolution, and the ONNX model that holds it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from plugins.deform_conv.reference import deform_conv


@dataclass(frozen=True)
class Case:
    """Tensors by their ONNX names in the operator's order, and its attributes; outputs are near 1."""

    tensors: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)

    def reference(self, dtype: Any = np.float64) -> Any:
        """Return what the equation gives."""
        return deform_conv(**{name: t.astype(dtype) for name, t in self.tensors.items()}, **self.attributes)

    def model(self, opset: int = 19) -> bytes:
        """Return a model of this node alone; height and width are free, the weights are inside."""
        feeds = self.feeds()
        names = [name if name in self.tensors else "" for name in ("x", "weight", "offset", "bias", "mask")]
        while not names[-1]:
            names.pop()
        kernel_shape = self.tensors["weight"].shape[2:]
        node = helper.make_node("DeformConv", names, ["y"], kernel_shape=kernel_shape, **self.attributes)
        graph = helper.make_graph(
            [node],
            "deform_conv",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [*tensor.shape[:2], f"h_{name}", f"w_{name}"])
                for name, tensor in feeds.items()
            ],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [onnx.numpy_helper.from_array(self.tensors[n], n) for n in ("weight", "bias") if n in self.tensors],
        )
        opsets = [helper.make_opsetid("", opset)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())

    def feeds(self) -> dict[str, Any]:
        """Return what the model takes."""
        return {name: self.tensors[name] for name in ("x", "offset", "mask") if name in self.tensors}

    def onnxruntime(self) -> Any:
        """Return what ONNX Runtime gives."""
        session = onnxruntime.InferenceSession(self.model(), providers=["CPUExecutionProvider"])
        return session.run(None, self.feeds())[0]


def make_case(
    channels: int,
    kernel: int,
    height: int,
    width: int,
    *,
    n: int = 1,
    c_out: int = 4,
    offset_px: float = 2.0,
    stride: int = 1,
    dilation: int = 1,
    group: int = 1,
    offset_group: int | None = None,
    seed: int = 0,
) -> Case:
    """Return random inputs, "same" padding at stride 1."""
    rng = np.random.default_rng(seed)
    groups, n_taps, pad = offset_group or channels, kernel**2, dilation * (kernel // 2)
    out_size = [(side - 1) // stride + 1 for side in (height, width)]

    def normal(*shape: int) -> Any:
        return rng.standard_normal(shape, np.float32)

    tensors = {
        "x": rng.random((n, channels, height, width), np.float32),
        "weight": normal(c_out, channels // group, kernel, kernel) / np.float32((channels // group * n_taps) ** 0.5),
        "offset": np.float32(offset_px) * normal(n, groups * n_taps * 2, *out_size),
        "bias": normal(c_out),
        "mask": rng.random((n, groups * n_taps, *out_size), np.float32),
    }
    attributes = {
        "strides": (stride, stride),
        "dilations": (dilation, dilation),
        "pads": (pad,) * 4,
        "group": group,
        "offset_group": groups,
    }
    return Case(tensors, attributes)
