"""An exported file with every weight as a plain float32 constant: what its weights are made from is computed.

The files that ship keep weights in float16 behind a Cast, under the state dict's names, and some layers compute their
kernels from several; neither can be rounded to 8 bits where it stands.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from export.folding import fold_constants

WITH_PARAMETERS = ("Conv", "ConvTranspose", "Gemm")  # their weights and biases are initialisers however few they are
MAX_INLINE = 16  # elements: axes, pads and sizes stay Constant nodes, as backends look for them there


def folded_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy that computes nothing from constants alone; metadata and ends stay."""
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    weights = [_constant_node(tensor) for tensor in graph.initializer]
    nodes = [*weights, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.node.extend(nodes)  # folding leaves initialisers as they are, and computes what Constant nodes feed
    fold_constants(graph)
    _weights_to_initializers(graph)
    return folded


def _constant_node(tensor: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [tensor.name], name=tensor.name, value=tensor)


def _weights_to_initializers(graph: onnx.GraphProto) -> None:
    kept, parameters = [], {name for node in graph.node if node.op_type in WITH_PARAMETERS for name in node.input[1:3]}
    for node in graph.node:
        value = node.attribute[0].t if node.op_type == "Constant" else None
        if value is None or (int(np.prod(value.dims)) <= MAX_INLINE and node.output[0] not in parameters):
            kept.append(node)
        else:
            graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(value), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
