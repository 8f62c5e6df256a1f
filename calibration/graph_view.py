"""A graph by its tensors: who makes each, and who reads it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

CONVOLUTIONS = ("Conv", "ConvTranspose")
DEFORM_CONV = "DeformConv"


class GraphView:
    """Look-ups in a graph; made for one state of it.

    Attributes:
        producer: the node that makes a tensor.
        readers: the nodes that read a tensor, each with the place among its inputs.
        constants: initialisers by name.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.producer = {output: node for node in self.nodes for output in node.output}
        self.readers: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
        for node in self.nodes:
            for place, name in enumerate(node.input):
                self.readers.setdefault(name, []).append((node, place))

    def convolutions(self) -> list[onnx.NodeProto]:
        """Return the convolutions whose weights are constants, in the graph's order."""
        return [node for node in self.nodes if node.op_type in CONVOLUTIONS and node.input[1] in self.constants]

    def weight(self, node: onnx.NodeProto) -> NDArray[np.float32]:
        """Return a convolution's weights, [C_out, C_in/groups, kh, kw]; of a transposed one [C_in, C_out, kh, kw]."""
        return np.asarray(numpy_helper.to_array(self.constants[node.input[1]]), np.float32)

    def after(self, node: onnx.NodeProto) -> Iterator[tuple[onnx.NodeProto | None, int, str]]:
        """Yield what reads a node's output, through everything but convolutions: reader, place, tensor.

        The reader is None for a tensor that nobody reads: an output of the graph.
        """
        waiting, seen = list(node.output), set(node.output)
        while waiting:
            name = waiting.pop()
            if name not in self.readers:
                yield None, 0, name
            for reader, place in self.readers.get(name, []):
                yield reader, place, name
                if reader.op_type in (*CONVOLUTIONS, DEFORM_CONV):
                    continue
                new = [output for output in reader.output if output not in seen]
                waiting += new
                seen.update(new)

    def before(self, name: str, until: tuple[str, ...]) -> Iterator[tuple[onnx.NodeProto | None, str]]:
        """Yield where a tensor comes from: the nearest nodes of these types, and inputs of the graph as (None, name).

        Convolutions end the search as well; constants are left out, and so is what only tells a size.
        """
        waiting, seen = [name], {name}
        while waiting:
            current = waiting.pop()
            node = self.producer.get(current)
            if node is None or node.op_type in (*CONVOLUTIONS, DEFORM_CONV, *until):
                yield node, current
                continue
            if node.op_type in ("Constant", "Shape"):
                continue
            new = [each for each in node.input if each and each not in self.constants and each not in seen]
            waiting += new
            seen.update(new)


def pads_by_itself(node: onnx.NodeProto) -> bool:
    """Tell whether a convolution pads by a rule instead of by numbers."""
    return attribute_of(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")


def attribute_of(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return a node's attribute, or what stands for one that is not there."""
    found = [onnx.helper.get_attribute_value(each) for each in node.attribute if each.name == name]
    return found[0] if found else default
