"""Which convolutions are quantised, by what they do in the graph, and why the others are not.

    x --> Q --> DQ --> Conv --> LeakyRelu --> Q --> DQ --> Conv --> Add --> ...
                 \\                             (weights: DQ, one scale a channel)   /
                  \\----------------------------------------------------------------/   the skip is the rounded one, too

That is where TensorRT looks for Q/DQ, and what OpenVINO's low precision transformations fuse: in front of each rounded
convolution's input, and on the skip's way into a residual sum.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

import onnx

from calibration.graph_view import DEFORM_CONV, GraphView, attribute_of, pads_by_itself
from calibration.weight_scales import channel_axis
from cvqe.errors import UsageError
from cvqe.manifest import GUIDE, WINDOW
from cvqe.pixels import FLOAT_LUMA

OFFSET_INPUT, MASK_INPUT = 2, 4  # of DeformConv
SUMS = ("ReduceMean", "ReduceSum", "GlobalAveragePool", "MatMul", "Gemm")
MIN_OUTPUTS, MIN_INPUTS = 32, 64


class Role(Enum):
    """What keeps a convolution in high precision; the value says why."""

    OFFSET = "draws offsets, masks or a displacement: an error moves what is sampled"
    GLOBAL_SUM = "works on, or weighs, a sum over the whole picture: an error touches every pixel"
    GATE = "draws what a sigmoid or tanh gates others with: in a ConvLSTM the state is fed back, and errors with it"
    LAST = "draws the picture: its error is the picture's"
    FIRST = "sees pixels and pads them with zeros: a symmetric scale can't be centred on grey"
    POINTWISE = "a 1x1 convolution moves more than it computes: little to gain from fewer bits"
    NARROW = f"fewer than {MIN_OUTPUTS} channels out, or {MIN_INPUTS} values under a kernel, fill no tile of integers"


ROLES = {role.name.lower().replace("_", "-"): role for role in Role}


@dataclass(frozen=True)
class Placement:
    """The convolutions of a graph, by node name.

    Attributes:
        quantised: those that get Q/DQ, in the graph's order.
        high_precision: the others, with their reasons.
    """

    quantised: tuple[str, ...]
    high_precision: Mapping[str, str]


def place(model: onnx.ModelProto, also: Collection[Role] = (), keep: Collection[str] = ()) -> Placement:
    """Decide by role; see Role.

    Args:
        model: as folded_model returns it.
        also: roles that are to be quantised all the same.
        keep: names of more convolutions that are to stay.

    Raises:
        UsageError: `keep` names none.
    """
    roles = roles_of(model)
    unknown = [name for name in keep if name not in roles]
    if unknown:
        raise UsageError(f"no convolution is called {', '.join(unknown)}; there are {', '.join(roles)}.")
    reasons = {name: role.value for name, role in roles.items() if role is not None and role not in also}
    reasons |= dict.fromkeys(keep, "asked for")
    return Placement(tuple(name for name in roles if name not in reasons), reasons)


def roles_of(model: onnx.ModelProto) -> dict[str, Role | None]:
    """Return the first role in Role's order of each convolution, None where nothing speaks against 8 bits."""
    view = GraphView(model.graph)
    sums: set[str] = set()  # names of convolutions that work on a sum
    roles: dict[str, Role | None] = {}
    for node in view.convolutions():
        roles[node.name] = _role(view, node, sums)
    return roles


def _role(view: GraphView, node: onnx.NodeProto, sums: set[str]) -> Role | None:
    readers = list(view.after(node))
    kinds = {reader.op_type for reader, _, _ in readers if reader is not None}
    if any(_displaces(reader, place) for reader, place, _ in readers):
        return Role.OFFSET
    if _is_of_sums(view, node, sums):
        sums.add(node.name)
        return Role.GLOBAL_SUM
    if "Softmax" in kinds:
        return Role.GLOBAL_SUM
    if {"Sigmoid", "Tanh"} & kinds:
        return Role.GATE
    if any(name == FLOAT_LUMA for _, _, name in readers):
        return Role.LAST
    if sees_pixels(view, node) and not can_be_centred(view, node):
        return Role.FIRST
    return _shape_role(view, node)


def _displaces(reader: onnx.NodeProto | None, place: int) -> bool:
    return reader is not None and reader.op_type == DEFORM_CONV and place in (OFFSET_INPUT, MASK_INPUT)


def _is_of_sums(view: GraphView, node: onnx.NodeProto, sums: Collection[str]) -> bool:
    """Tell whether everything that a convolution reads comes from a sum, or from a convolution of which that is true.

    A sum that is added to features is no such case: they come from elsewhere.
    """
    origins = [origin for origin, _ in view.before(node.input[0], SUMS)]
    return bool(origins) and all(
        origin is not None and (origin.op_type in SUMS or origin.name in sums) for origin in origins
    )


def sees_pixels(view: GraphView, node: onnx.NodeProto) -> bool:
    """Tell whether a convolution reads the window or the guide without another one between, displaced or not."""
    waiting = [node.input[0]]
    while waiting:
        for origin, name in view.before(waiting.pop(), ()):
            if origin is None and name in (WINDOW, GUIDE):
                return True
            if origin is not None and _only_moves(origin):
                waiting.append(origin.input[0])
    return False


def can_be_centred(view: GraphView, node: onnx.NodeProto) -> bool:
    """Tell whether a convolution sees pixels, and nothing that it pads them with; see centring.py."""
    return sees_pixels(view, node) and not pads_by_itself(node) and not any(attribute_of(node, "pads", [0]))


def _only_moves(node: onnx.NodeProto) -> bool:
    """Tell whether a deformable convolution has one tap, as those have that align frames."""
    return node.op_type == DEFORM_CONV and set(attribute_of(node, "kernel_shape", [0])) == {1}


def _shape_role(view: GraphView, node: onnx.NodeProto) -> Role | None:
    weight = view.weight(node)
    n_outputs = weight.shape[channel_axis(node)]
    if n_outputs < MIN_OUTPUTS or weight.size // n_outputs < MIN_INPUTS:
        return Role.NARROW
    return Role.POINTWISE if set(weight.shape[2:]) == {1} else None
