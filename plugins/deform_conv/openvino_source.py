"""Where a tensor of an OpenVINO graph comes from, so that our operations read that instead of a copy.

frames ---- Slice of channels ----> x           read from frames
cells ----- DepthToSpace ---------> offset      read from cells
both ------ Split ----------------> offset      read from both, and the mask too
"""

from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from plugins.deform_conv.warper import Channels

PLANEWISE = {"Add", "Convert", "Divide", "Multiply", "Pad", "Slice", "Split", "Subtract", "VariadicSplit"}
# what exporters and the frontend put between a constant and its use
FOLDED = {"Broadcast", "Convert", "Reshape", "ShapeOf", "Squeeze", "Unsqueeze"}


def channels_source(tensor: Any) -> tuple[Any, Channels]:
    """Return the tensor this one is a choice of channels of, and which; itself and all of them if it is none."""
    node = tensor.get_node()
    kind = node.get_type_name()
    if kind in ("Split", "VariadicSplit") and _integers(node, 1) == [1]:
        before = [channels_of(node.output(i)) for i in range(tensor.get_index())]
        if all(before):
            return node.input_value(0), Channels(sum(filter(None, before)))
    if kind == "Slice" and _integers(node, 4) == [1]:
        start, stop, step, length = *(_integers(node, i) for i in (1, 2, 3)), channels_of(node.input_value(0))
        if start and stop and step and length and step[0] > 0:
            return node.input_value(0), Channels(slice(start[0], stop[0]).indices(length)[0], step[0])
    return tensor, Channels()


def cells_source(tensor: Any) -> tuple[Any, Channels]:
    """Return the tensor whose depth-to-space, as of `torch.pixel_shuffle`, this one is; or what `range_source` says."""
    node = tensor.get_node()
    if node.get_type_name() == "DepthToSpace":
        block = int(node.get_attributes()["block_size"])
        # rows of a cell are loaded as vectors or parts of vectors, which are powers of two
        if node.get_attributes()["mode"] == "depth_first" and block & (block - 1) == 0:
            return node.input_value(0), Channels(block=block)
    return range_source(tensor)


def range_source(tensor: Any) -> tuple[Any, Channels]:
    """Return the same as `channels_source`, where the channels are neighbours."""
    source, channels = channels_source(tensor)
    return (source, channels) if channels.step == 1 else (tensor, Channels())


def arrives_in_planes(tensor: Any) -> bool:
    """Return whether only elementwise work and cuts lie between the model's input and a tensor.

    OpenVINO then has it in planes. What a convolution made has channels last.
    """
    node = tensor.get_node()
    while node.get_type_name() in PLANEWISE:
        others = [value.get_node() for value in node.input_values()]
        node = next((other for other in others if other.get_type_name() != "Constant"), node.input_value(0).get_node())
    return bool(node.get_type_name() == "Parameter")


def channels_of(tensor: Any) -> int | None:
    """Return C of [N, C, H, W] if it is known."""
    length = tensor.get_partial_shape()[1]
    return int(length.get_length()) if length.is_static else None


def constant(tensor: Any) -> NDArray[Any] | None:
    """Return a tensor's value if it is known now; exporters wrap constants in conversions and reshapes."""
    node = tensor.get_node()
    if node.get_type_name() == "Constant":
        return np.asarray(node.data)
    if node.get_type_name() not in FOLDED:
        return None
    inputs = [constant(value) for value in node.input_values()]
    if any(value is None for value in inputs) or tensor.get_partial_shape().is_dynamic:
        return None
    folded = openvino.Tensor(tensor.get_element_type(), tensor.get_shape())
    is_known = node.evaluate([folded], [openvino.Tensor(value) for value in inputs])
    return np.array(folded.data) if is_known else None


def _integers(node: Any, index: int) -> list[int] | None:
    """Return an input's integers as a list if they are constant."""
    value = constant(node.input_value(index))
    return None if value is None else [int(number) for number in value.flat]
