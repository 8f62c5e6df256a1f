"""Explicit Q/DQ written into a float graph: activations rounded on the way, weights stored rounded.

    x -> QuantizeLinear -> DequantizeLinear --> Conv     one scale for the tensor
    weights, 8 bit ------> DequantizeLinear ----^        one scale for each output channel
    bias, float32 -------------------------------^

Scales are float32, zero points 0: what TensorRT demands and the other backends run fastest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from calibration.formats import Format
from calibration.graph_view import GraphView
from calibration.placement import Placement
from calibration.weight_scales import along, channel_axis, weight_scales

QUANTIZED, DEQUANTIZED, SCALE, ZERO_POINT = "/quantized", "/dequantized", "/scale", "/zero_point"
SKIP = "Add"  # reads the rounded tensor where a quantised convolution does: a residual sum can then be fused


def with_qdq(
    model: onnx.ModelProto,
    placement: Placement,
    amax: Mapping[str, float],
    format_: Format,
    weights: Mapping[str, NDArray[Any]] | None = None,
) -> onnx.ModelProto:
    """Return a copy whose chosen convolutions read rounded inputs and weights.

    Args:
        model: as folded_model returns it.
        placement: which convolutions.
        amax: of each tensor that one of them reads.
        weights: rounded weights by their name, in place of the nearest ones; same scales.
    """
    quantised = onnx.ModelProto()
    quantised.CopyFrom(model)
    writer = _Writer(GraphView(quantised.graph), amax, format_, weights or {})
    chosen = set(placement.quantised)
    for node in writer.view.convolutions():
        if node.name in chosen:
            writer.quantise(node, chosen)
    writer.write(quantised.graph)
    onnx.checker.check_model(quantised)
    return quantised


def quantised_inputs(model: onnx.ModelProto, placement: Placement) -> list[str]:
    """Return the tensors that get Q/DQ, each once."""
    chosen = set(placement.quantised)
    nodes = GraphView(model.graph).convolutions()
    return list(dict.fromkeys(node.input[0] for node in nodes if node.name in chosen))


class _Writer:
    """Nodes and constants to come, behind the tensors that they round."""

    def __init__(
        self, view: GraphView, amax: Mapping[str, float], format_: Format, weights: Mapping[str, NDArray[Any]]
    ) -> None:
        self.view = view
        self._amax, self._format, self._weights = amax, format_, weights
        self._behind: dict[str, list[onnx.NodeProto]] = {}  # by the tensor that they read
        self._first: list[onnx.NodeProto] = []  # reading constants
        self._constants: dict[str, onnx.TensorProto] = {}

    def quantise(self, node: onnx.NodeProto, chosen: set[str]) -> None:
        """Let a convolution read its input and weights through DequantizeLinear."""
        name = node.input[0]
        if not name.endswith(DEQUANTIZED):
            self._round_activation(name, chosen)
        node.input[1] = self._dequantised_weight(node)

    def write(self, graph: onnx.GraphProto) -> None:
        """Put the new nodes into the graph, each behind what it reads; drop the float weights."""
        ordered = list(self._first)
        for name in [value.name for value in graph.input]:
            ordered += self._behind.get(name, [])
        for node in self.view.nodes:
            ordered.append(node)
            ordered += [new for output in node.output for new in self._behind.get(output, [])]
        read = {name for node in ordered for name in node.input}
        constants = [tensor for tensor in self.view.constants.values() if tensor.name in read]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(ordered)
        graph.initializer.extend([*constants, *self._constants.values()])

    def _round_activation(self, name: str, chosen: set[str]) -> None:
        rounded, result = name + QUANTIZED, name + DEQUANTIZED
        scale = self._scale(name, np.float32(self._amax[name] / self._format.largest))
        self._behind[name] = [
            helper.make_node("QuantizeLinear", [name, *scale], [rounded], rounded),
            helper.make_node("DequantizeLinear", [rounded, *scale], [result], result),
        ]
        for reader, place in self.view.readers[name]:
            if reader.op_type == SKIP or (reader.name in chosen and place == 0):
                reader.input[place] = result

    def _dequantised_weight(self, node: onnx.NodeProto) -> str:
        name = str(node.input[1])
        stored, result = name + QUANTIZED, name + DEQUANTIZED
        if stored not in self._constants:  # two convolutions may share their weights
            axis, weight = channel_axis(node), self.view.weight(node)
            scales = weight_scales(weight, axis, self._format)
            kept = self._weights.get(name)
            rounded = self._format.store(weight / along(scales, axis)) if kept is None else kept
            self._constants[stored] = _tensor(rounded, stored, self._format)
            scale = self._scale(name, scales)
            self._first.append(helper.make_node("DequantizeLinear", [stored, *scale], [result], result, axis=axis))
        return result

    def _scale(self, name: str, scale: Any) -> Sequence[str]:
        zero = np.zeros(np.shape(scale), np.float32)
        self._constants[name + SCALE] = numpy_helper.from_array(np.asarray(scale, np.float32), name + SCALE)
        self._constants[name + ZERO_POINT] = _tensor(self._format.store(zero), name + ZERO_POINT, self._format)
        return name + SCALE, name + ZERO_POINT


def _tensor(values: NDArray[Any], name: str, format_: Format) -> onnx.TensorProto:
    return helper.make_tensor(name, format_.onnx_type, values.shape, values.tobytes(), raw=True)
