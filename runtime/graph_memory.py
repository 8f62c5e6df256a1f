"""How much memory a network's tensors take at once, read off its graph.

node      1    2    3    4         every tensor lives from the node that makes it to the last one that reads it;
tensor a  #####-----               the most there is at a time, in bytes a pixel, is what a plain executor needs
tensor b       ##########
"""

from collections.abc import Iterable, Sequence
from math import prod

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto
from onnx.helper import tensor_dtype_to_np_dtype

_SIDE_PX = 256  # of the frames looked at: a multiple of what networks pad to, so that nothing is padded
_SMALL = 64  # numbers of a constant that may tell a shape; weights have more
_TAPS = 9  # of a deformable convolution, whose samples are laid out as a matrix


def bytes_per_pixel(content: bytes) -> float:
    """Return the memory that the tensors of an exported network take at their peak, for each pixel of a frame.

    Weights are not counted.

    Args:
        content: of an ONNX file whose frames have a height and a width that are left open.
    """
    model = _of_one_size(onnx.load_from_string(content))
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    return _peak_bytes([value.name for value in graph.input], nodes, _sizes(graph, nodes)) / _SIDE_PX**2


def _of_one_size(model: ModelProto) -> ModelProto:
    """Fix height and width, and drop what hinders or slows down the inference of shapes: weights, and padding."""
    for value in model.graph.input:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_value = _SIDE_PX
    for weights in model.graph.initializer:
        if prod(weights.dims) > _SMALL:
            weights.ClearField("raw_data")
    known = _constants(model.graph)
    for node in model.graph.node:
        # to a multiple that is computed from the size, and back: nothing at this size
        if node.op_type in ("Pad", "Slice") and not set(filter(None, node.input[1:])) <= known:
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]
    return model


def _constants(graph: GraphProto) -> set[str]:
    made = {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    return made | {weights.name for weights in graph.initializer}


def _sizes(graph: GraphProto, nodes: Sequence[NodeProto]) -> dict[str, int]:
    """Give every tensor's bytes; where a shape is unknown, those of the largest that its node reads."""
    values = [*graph.input, *graph.value_info, *graph.output]
    sizes = {value.name: size for value in values if (size := _n_bytes(value.type.tensor_type)) is not None}
    sizes |= dict.fromkeys(_constants(graph), 0)
    for node in nodes:
        largest = max((sizes.get(name, 0) for name in node.input), default=0)
        for name in node.output:
            sizes.setdefault(name, largest)
    return sizes


def _n_bytes(tensor: "onnx.TypeProto.Tensor") -> int | None:
    if not tensor.HasField("shape") or not all(each.HasField("dim_value") for each in tensor.shape.dim):
        return None
    itemsize = tensor_dtype_to_np_dtype(tensor.elem_type or TensorProto.FLOAT).itemsize
    return int(prod(each.dim_value for each in tensor.shape.dim) * itemsize)


def _peak_bytes(inputs: Sequence[str], nodes: Sequence[NodeProto], sizes: dict[str, int]) -> int:
    last_reader = {name: number for number, node in enumerate(nodes) for name in (*node.output, *node.input)}
    live = peak = _total(inputs, sizes)
    for number, node in enumerate(nodes):
        live += _total(node.output, sizes)
        peak = max(peak, live + _scratch(node, sizes))
        live -= _total({name for name in (*node.input, *node.output) if last_reader[name] == number}, sizes)
    return peak


def _total(names: Iterable[str], sizes: dict[str, int]) -> int:
    return sum(sizes[name] for name in names if name)


def _scratch(node: NodeProto, sizes: dict[str, int]) -> int:
    return _TAPS * sizes[node.input[0]] if node.op_type == "DeformConv" else 0
