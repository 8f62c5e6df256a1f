"""What TensorRT wants of Q and DQ nodes, checked before it parses them: its own words name neither node nor remedy.

int8 or float8   of 8 bits, signed; a bias stays in floating point
symmetric        zero points of 0; one may be missing where something else says the type
constant scales  one for a tensor, or one for each output channel of a weight
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.errors import ModelError

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
TYPES = (TensorProto.INT8, TensorProto.FLOAT8E4M3FN)
OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1}  # of the output channels, by who reads a weight
NUMBERS = ("value", "value_float", "value_floats")  # of Constant nodes


def refuse_foreign_scales(model: onnx.ModelProto, path: Path) -> None:
    """Refuse Q and DQ nodes that TensorRT does not take.

    Args:
        path: the file's, for the message.

    Raises:
        ModelError: the first such node, what it has, and how to calibrate the network anew.
    """
    view = _View(model.graph)
    for node in model.graph.node:
        if node.op_type not in (QUANTIZE, DEQUANTIZE):
            continue
        for objection in (*_to_scale(node, view), *_to_zero_point(node, view)):
            raise ModelError(
                f"{path}: node {node.name or node.output[0]} ({node.op_type}) {objection}, which TensorRT does not "
                "take. Calibrate the network anew:  python calibration/calibrate.py --onnx NETWORK.onnx --to int8 "
                "--clips CLIPS --coded CODED"
            )


class _View:
    """A graph's constants, and who makes and reads each tensor."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {tensor.name: tensor for tensor in graph.initializer} | _constant_nodes(graph)
        self.makers = {name: node for node in graph.node for name in node.output}
        self._nodes = graph.node

    def readers(self, name: str) -> list[onnx.NodeProto]:
        return [node for node in self._nodes if name in node.input]

    def before_rounding(self, node: onnx.NodeProto) -> str:
        """Name what a Q node rounds, or what was rounded for a DQ node."""
        maker = self.makers.get(node.input[0])
        return str(maker.input[0] if maker is not None and maker.op_type == QUANTIZE else node.input[0])


def _to_scale(node: onnx.NodeProto, view: _View) -> Iterator[str]:
    scale = view.constants.get(node.input[1])
    if scale is None:
        yield f"has a scale that is computed ({node.input[1]})"
    elif (n_scales := int(np.prod(scale.dims))) != 1 and list(scale.dims) != _output_channels(node, view):
        yield f"has {n_scales} scales, where one, or one for each output channel of a weight, was expected"


def _to_zero_point(node: onnx.NodeProto, view: _View) -> Iterator[str]:
    name = _zero_point(node)
    if name and name not in view.constants:
        yield f"has a zero point that is computed ({name})"
        return
    kind = _rounded_type(node, view)
    if kind is None:
        yield "has no zero point, and nothing else says the type that it reads"
    elif kind not in TYPES:
        because = "" if name else " for want of a zero point" * (node.op_type == QUANTIZE)
        yield f"rounds to {TensorProto.DataType.Name(kind).lower()}{because}"
    elif name and np.any(numpy_helper.to_array(view.constants[name]).astype(np.float32)):
        yield "has a zero point that is not 0"


def _rounded_type(node: onnx.NodeProto, view: _View) -> int | None:
    """Return the type of the rounded numbers, as the operators' definitions find it; None where it is not told."""
    if name := _zero_point(node):
        return int(view.constants[name].data_type) if name in view.constants else None
    if node.op_type == QUANTIZE:
        return int(_attribute(node, "output_dtype", 0)) or TensorProto.UINT8
    if node.input[0] in view.constants:
        return int(view.constants[node.input[0]].data_type)
    maker = view.makers.get(node.input[0])
    return _rounded_type(maker, view) if maker is not None and maker.op_type == QUANTIZE else None


def _output_channels(node: onnx.NodeProto, view: _View) -> list[int] | None:
    """Return [C_out] of the weight that a node rounds or brings back, along its axis; None: there is no weight."""
    weight = view.constants.get(view.before_rounding(node))
    if weight is None:
        return None
    back = view.readers(node.output[0]) if node.op_type == QUANTIZE else [node]
    readers = [reader for each in back for reader in view.readers(each.output[0])]
    axis = _attribute(node, "axis", 1) % max(len(weight.dims), 1)
    is_output = all(axis == OUTPUT_AXIS.get(reader.op_type, axis) for reader in readers)
    return [weight.dims[axis]] if is_output and axis < len(weight.dims) else None


def _constant_nodes(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    found = {}
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name in NUMBERS:
                value = helper.get_attribute_value(attribute)
                is_tensor = isinstance(value, TensorProto)
                found[node.output[0]] = value if is_tensor else numpy_helper.from_array(np.asarray(value, np.float32))
    return found


def _zero_point(node: onnx.NodeProto) -> str:
    return str(node.input[2]) if len(node.input) > 2 else ""


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)
