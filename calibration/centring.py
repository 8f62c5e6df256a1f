"""Pixels around 0: levels of 0..255 less 128 are whole numbers that an int8 holds exactly, with a scale of 1.

    x -> Conv(w) + b        becomes        x -> Sub 128 -> Conv(w) + (b + 128 sum w)        the same numbers

Without it a symmetric scale spends half of its levels on negative pixels. Only where nothing is padded with zeros: a
border would turn from black to grey.
"""

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper, numpy_helper

from calibration.graph_view import GraphView
from calibration.observers import Magnitudes

MIDDLE = 128.0
CENTRED = "/centred"
AMAX = 127.0  # of what is centred: a scale of 1; level 0 becomes 1 where a backend leaves -128 unused
LARGEST_LEVEL = 255.5  # what interpolation makes of 255


def holds_levels(seen: Magnitudes) -> bool:
    """Tell whether a tensor holds levels of 8 bits: none below 0, nor all of them so small that few would be left."""
    return seen.lowest >= 0 and AMAX < seen.amax <= LARGEST_LEVEL


def centred(model: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """Return a copy in which these convolutions read their levels less 128.

    Args:
        names: of nodes that read levels of 0..255 without padding them.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    view = GraphView(graph)
    nodes = list(graph.node)
    del graph.node[:]
    done: set[str] = set()
    for node in nodes:
        if node.name in names:
            source = node.input[0]
            if source not in done:
                graph.node.append(helper.make_node("Sub", [source, CENTRED], [source + CENTRED], source + CENTRED))
                done.add(source)
            node.input[0] = source + CENTRED
            _move_bias(graph, view, node)
        graph.node.append(node)
    graph.initializer.append(numpy_helper.from_array(np.float32(MIDDLE), CENTRED))
    return copy


def _move_bias(graph: onnx.GraphProto, view: GraphView, node: onnx.NodeProto) -> None:
    weight = view.weight(node)
    bias = numpy_helper.to_array(view.constants[node.input[2]]) if len(node.input) > 2 else np.zeros(len(weight))
    moved = bias + MIDDLE * weight.sum((1, 2, 3), dtype=np.float64)
    name = f"{node.name}{CENTRED}/bias"
    graph.initializer.append(numpy_helper.from_array(moved.astype(np.float32), name))
    del node.input[2:]
    node.input.append(name)
