"""Weights at half their size: float16 initialisers where that loses nothing, a Cast back to float32 behind each."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.pixels import ENDS

WIDENED = "/float32"  # behind a weight's name: the float32 tensor that the network reads


def store_as_float16(model: onnx.ModelProto) -> int:
    """Store every float32 weight that float16 holds exactly as float16, in place; backends fold the Cast when loading.

    The shipped networks are rounded to float16 once, when their card is measured, so nothing is lost here.

    Returns:
        how many weights are now float16.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name.startswith(ENDS):
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if not np.array_equal(halved.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halved, name))
        casts.append(helper.make_node("Cast", [name], [name + WIDENED], name + WIDENED, to=TensorProto.FLOAT))
    _read_widened(model.graph, {cast.input[0] for cast in casts})
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return len(casts)


def _read_widened(graph: onnx.GraphProto, names: set[str]) -> None:
    for node in graph.node:
        node.input[:] = [name + WIDENED if name in names else name for name in node.input]
