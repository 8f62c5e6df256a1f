"""ONNX models of one deformable convolution, and TensorRT building them: shared by the plugin's tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FREE = ("H", "W")
NUMPY = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16}


@dataclass(frozen=True)
class NodeModel:
    """A node, its weights inside, its other inputs the model's inputs."""

    kernel: tuple[int, int] = (3, 3)
    channels: int = 4
    c_out: int = 8
    offset_group: int = 4
    mask: str = "none"  # "none", "values", "logits" or "packed", as Problem has them
    strides: tuple[int, int] = (1, 1)
    size: tuple[Any, Any] = (32, 48)
    out_size: tuple[Any, Any] | None = None  # None: that of x, divided by the strides
    element: int = TensorProto.FLOAT16
    offset_element: int = 0  # 0: the same
    has_bias: bool = True
    operation: str = ""  # "": DeformConv, where that can do it
    attributes: tuple[tuple[str, Any], ...] = ()
    name: str = "/align/deform_conv"

    def weights(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return weight and bias; outputs are near 1."""
        shape = (self.c_out, self.channels, *self.kernel)
        scale = np.sqrt(np.prod(shape[1:]))
        return {"weight": rng.normal(size=shape) / scale, "bias": rng.normal(size=self.c_out)}

    def feed_shapes(self, size: tuple[Any, Any] | None = None) -> dict[str, tuple[Any, ...]]:
        """Return the shapes of the model's inputs, for frames of this size."""
        size = size or self.size
        out_size = self.out_size or (
            size if size == FREE else tuple(-(-side // s) for side, s in zip(size, self.strides, strict=True))
        )
        n_taps = self.offset_group * self.kernel[0] * self.kernel[1]
        shapes = {"x": (1, self.channels, *size)}
        shapes["offset"] = (1, (3 if self.mask == "packed" else 2) * n_taps, *out_size)
        if self.mask in ("values", "logits"):
            shapes["mask"] = (1, n_taps, *out_size)
        return shapes

    def model(self) -> bytes:
        """Return the serialized model."""
        weights = self.weights(np.random.default_rng(0))
        stored = [self._tensor(name, value) for name, value in weights.items() if self.has_bias or name == "weight"]
        elements = {"offset": self.offset_element or self.element}
        feeds = [
            helper.make_tensor_value_info(name, elements.get(name, self.element), shape)
            for name, shape in self.feed_shapes().items()
        ]
        result = helper.make_tensor_value_info("y", self.element, None)
        graph = helper.make_graph([self._node()], "g", feeds, [result], stored)
        opsets = [helper.make_opsetid("", 22), helper.make_opsetid("cvqe", 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())

    def _node(self) -> onnx.NodeProto:
        inputs = [
            "x",
            "weight",
            "offset",
            "bias" if self.has_bias else "",
            *(["mask"] * (self.mask in ("values", "logits"))),
        ]
        while not inputs[-1]:
            inputs.pop()
        is_custom = self.mask in ("logits", "packed")
        operation = self.operation or ("CvqeDeformConv" if is_custom else "DeformConv")
        added = {"mask_logits": 1, "packed": int(self.mask == "packed")} if is_custom else {}
        given = {
            "kernel_shape": self.kernel,
            "pads": (self.kernel[0] // 2, self.kernel[1] // 2) * 2,
            "strides": self.strides,
            "offset_group": self.offset_group,
        }
        domain = "cvqe" if operation == "CvqeDeformConv" else ""
        attributes = given | added | dict(self.attributes)
        return helper.make_node(operation, inputs, ["y"], name=self.name, domain=domain, **attributes)

    def _tensor(self, name: str, value: Any) -> onnx.TensorProto:
        if self.element in NUMPY:
            return numpy_helper.from_array(value.astype(NUMPY[self.element]), name)
        return helper.make_tensor(name, self.element, value.shape, value.ravel())


def build_engine(
    trt: Any, model: bytes, targets: tuple[int, ...] = (89,), profile: dict[str, Any] | None = None
) -> bytes:
    """Build an engine; a RuntimeError carries TensorRT's messages.

    Args:
        trt: tensorrt_rtx, or tensorrt, which has no targets.
        model: serialized.
        targets: compute capabilities; (): the device's.
        profile: input -> (smallest, usual, largest shape) where sizes are free.
    """
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parser.set_flag(trt.OnnxParserFlag.ENABLE_PLUGIN_OVERRIDE)
    if not parser.parse(model):
        raise RuntimeError([parser.get_error(i).desc() for i in range(parser.num_errors)])
    config = builder.create_builder_config()
    if targets:
        config.num_compute_capabilities = len(targets)
        for index, target in enumerate(targets):
            config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{target}"), index)
    if profile:
        shapes = builder.create_optimization_profile()
        for name, bounds in profile.items():
            shapes.set_shape(name, *bounds)
        config.add_optimization_profile(shapes)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise RuntimeError("the build returned nothing")
    return bytes(engine)
