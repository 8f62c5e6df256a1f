"""Channels of very different magnitude brought together before one scale is chosen for all of them.

    conv, out-channel c / s_c --> LeakyRelu, Add, ... --> conv, in-channel c * s_c      the same numbers for any s_c > 0

Cross-layer equalisation (Nagel et al., ICCV 2019, section 4.1): what lies between is positively homogeneous. A residual
stream is one group: all that is added to it is scaled alike. Weights have a scale for every output channel already, so
s_c weighs the channel's magnitude on real samples against the weights that read it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from calibration.activations import Feeds, tapped
from calibration.graph_view import GraphView, attribute_of

HOMOGENEOUS = ("LeakyRelu", "Relu", "Add", "Identity")
RESHAPED = ("Unsqueeze",)  # a vector of channels laid out to be added to features
MAX_RATIO = 64.0  # of two channels' factors: beyond it a channel that is nearly always zero would rule


@dataclass
class Group:
    """Tensors whose channels are scaled alike, with the layers that make and that read them."""

    tensors: list[str] = field(default_factory=list)
    makers: list[onnx.NodeProto] = field(default_factory=list)
    readers: list[onnx.NodeProto] = field(default_factory=list)


def equalised(model: onnx.ModelProto, samples: Sequence[Feeds]) -> onnx.ModelProto:
    """Return a copy with the channels of every group scaled; its outputs are the same up to float32 rounding."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    view = GraphView(copy.graph)
    groups = list(groups_of(view))
    read = [[node.input[0] for node in group.readers] for group in groups]
    squares = mean_squares(model, [name for names in read for name in names], samples)
    for group, names in zip(groups, read, strict=True):
        factors = _factors(view, group, np.mean([squares[name] for name in names], axis=0))
        for node in group.makers:
            _scale_outputs(view, node, 1 / factors)
        for node in group.readers:
            _scale(view, node.input[1], factors.reshape(1, -1, 1, 1))
    return copy


def groups_of(view: GraphView) -> Iterator[Group]:
    """Yield the groups of channels that plain convolutions read and that nothing else sees."""
    done: set[str] = set()
    for node in view.convolutions():
        if node.output[0] in done:
            continue
        group = _group(view, node.output[0])
        if group is not None and group.readers:
            done.update(group.tensors)
            yield group


def mean_squares(
    model: onnx.ModelProto, names: Sequence[str], samples: Sequence[Feeds]
) -> Mapping[str, NDArray[np.float64]]:
    """Return the mean square of each channel of some features [1, C, H, W] over all samples."""
    names = list(dict.fromkeys(names))
    sums = {name: np.zeros(1) for name in names}
    for values in tapped(model, names, samples):
        for name, value in zip(names, values, strict=True):
            sums[name] = sums[name] + np.square(value, dtype=np.float64).mean((0, 2, 3))
    return {name: total / len(samples) for name, total in sums.items()}


def _group(view: GraphView, start: str) -> Group | None:
    """Gather everything tied to a tensor; None where something reads or makes a part of it that can't be scaled."""
    group, waiting = Group(), [start]
    while waiting:
        name = waiting.pop()
        if name in group.tensors:
            continue
        group.tensors.append(name)
        maker = view.producer.get(name)
        if maker is None:
            return None
        if _is_plain(view, maker):
            group.makers.append(maker)
        elif maker.op_type in (*HOMOGENEOUS, *RESHAPED):
            waiting += maker.input[: 1 if maker.op_type in RESHAPED else None]
        else:
            return None
        for reader, place in view.readers.get(name, [(None, 0)]):
            if reader is not None and reader.op_type == "Conv" and place == 0 and _is_plain(view, reader):
                group.readers.append(reader)
            elif reader is not None and reader.op_type in (*HOMOGENEOUS, *RESHAPED):
                waiting += reader.output
            else:
                return None
    return group if _are_alone(view, group) else None


def _is_plain(view: GraphView, node: onnx.NodeProto) -> bool:
    if node.op_type == "Gemm":
        return node.input[1] in view.constants and attribute_of(node, "transB", 0) == 1
    return node.op_type == "Conv" and node.input[1] in view.constants and attribute_of(node, "group", 1) == 1


def _are_alone(view: GraphView, group: Group) -> bool:
    """Tell whether nobody else reads the group's weights, and all have as many channels."""
    nodes = [*group.makers, *group.readers]
    shared = any(len(view.readers[name]) > 1 for node in nodes for name in node.input[1:])
    n_channels = {view.constants[node.input[1]].dims[0] for node in group.makers}
    return not shared and n_channels == {view.constants[node.input[1]].dims[1] for node in group.readers}


def _factors(view: GraphView, group: Group, squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return s_c > 0, the fourth root of mean square over that of the weights; 1 in the middle, within MAX_RATIO."""
    weights = [np.square(view.weight(node), dtype=np.float64).mean((0, 2, 3)) for node in group.readers]
    tiny = np.finfo(np.float32).tiny
    logs = 0.25 * (np.log(squares + tiny) - np.log(np.mean(weights, axis=0) + tiny))
    logs -= np.median(logs)
    limit = np.log(MAX_RATIO) / 2
    factors: NDArray[np.float64] = np.exp(np.clip(logs, -limit, limit))
    return factors


def _scale_outputs(view: GraphView, node: onnx.NodeProto, factors: NDArray[np.float64]) -> None:
    for name in node.input[1:3]:
        _scale(view, name, factors.reshape(-1, *[1] * (len(view.constants[name].dims) - 1)))


def _scale(view: GraphView, name: str, factors: NDArray[np.float64]) -> None:
    tensor = view.constants[name]
    tensor.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(tensor) * factors).astype(np.float32), name))
