"""What an exported graph computes from constants alone, computed once: backends get plain axes, sizes and pads.

Weights are left as they are, so that a file's initialisers stay those of the state dict; only their shapes are taken.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 20


def fold_constants(graph: onnx.GraphProto) -> int:
    """Replace every node whose inputs are constants, in place, and drop constants that nothing reads.

    Returns:
        how many nodes were computed.
    """
    shapes = {tensor.name: np.array(tensor.dims, np.int64) for tensor in graph.initializer}
    known: dict[str, NDArray[Any]] = {}
    nodes: list[onnx.NodeProto] = []
    n_folded = 0
    for node in graph.node:
        if node.op_type == "Shape" and node.input[0] in shapes and not node.attribute:
            known[node.output[0]] = shapes[node.input[0]]
        elif all(name in known or not name for name in node.input) and len(node.output) == 1:
            known[node.output[0]] = _computed(node, known)
        else:
            nodes.append(node)
            continue
        n_folded += node.op_type != "Constant"
    del graph.node[:]
    graph.node.extend([*_constants(graph, known, nodes), *nodes])
    return n_folded


def _computed(node: onnx.NodeProto, known: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Run one node by ONNX's own reference implementation."""
    names = [name for name in node.input if name]
    graph = helper.make_graph([node], "one", [helper.make_tensor_value_info(name, 0, None) for name in names], [])
    graph.output.append(helper.make_tensor_value_info(node.output[0], 0, None))
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    (value,) = ReferenceEvaluator(model).run(None, {name: known[name] for name in names})
    return np.asarray(value)


def _constants(
    graph: onnx.GraphProto, known: dict[str, NDArray[Any]], nodes: list[onnx.NodeProto]
) -> list[onnx.NodeProto]:
    """Write the values that the nodes left over, or the graph's outputs, still read."""
    read = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    return [
        helper.make_node("Constant", [], [name], name=name, value=numpy_helper.from_array(value))
        for name, value in known.items()
        if name in read
    ]
