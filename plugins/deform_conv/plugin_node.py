"""From what a DeformConv node says, its attributes and the types and shapes of its inputs, to the Problem it computes.

DeformConv, CvqeDeformConv:           x, weight, offset, bias[, mask]
CvqeDeformConv with packed = 1:       x, weight, offset and mask logits in one tensor, bias
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ModelError, ShapeError
from plugins.deform_conv.problem import Dtype, Mask, Problem

UNKNOWN = -1  # a size that is not fixed yet
DTYPES: Mapping[str, Dtype] = {"HALF": "fp16", "FLOAT": "fp32"}  # by TensorRT's names
STANDARD_ATTRIBUTES = ("dilations", "group", "kernel_shape", "offset_group", "pads", "strides")
CUSTOM_ATTRIBUTES = (*STANDARD_ATTRIBUTES, "mask_logits", "packed")
LENGTHS = {"kernel_shape": 2, "strides": 2, "dilations": 2, "pads": 4}  # the others are single numbers
RANKS = {"x": 4, "weight": 4, "offset": 4, "bias": 1, "mask": 4}
Shape = Sequence[int]


@dataclass(frozen=True)
class NodeAttributes:
    """A node's attributes, with ONNX's defaults for those it does not have."""

    kernel_shape: tuple[int, ...] = ()  # (): that of the weights
    strides: tuple[int, ...] = (1, 1)
    dilations: tuple[int, ...] = (1, 1)
    pads: tuple[int, ...] = (0, 0, 0, 0)  # top, left, bottom, right
    group: int = 1
    offset_group: int = 1
    mask_logits: int = 0
    packed: int = 0


def attributes_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> NodeAttributes:
    """Read the integer arrays that TensorRT's parser makes of a node's attributes.

    Raises:
        ModelError: an attribute is unknown, no integer, or has the wrong number of them.
    """
    known = {field.name for field in fields(NodeAttributes)}
    values: dict[str, Any] = {}
    for name, array in arrays.items():
        if name not in known:
            raise ModelError(f"attribute {name} is unknown; a DeformConv has {', '.join(sorted(known))}.")
        if not np.issubdtype(array.dtype, np.integer):
            raise ModelError(f"attribute {name} is {array.tolist()}, not made of integers.")
        if array.size != LENGTHS.get(name, 1):
            raise ModelError(f"attribute {name} is {array.tolist()}; {LENGTHS.get(name, 1)} numbers were expected.")
        numbers = tuple(int(number) for number in array.flat)
        values[name] = numbers if name in LENGTHS else numbers[0]
    return NodeAttributes(**values)


def dtype_of_node(attributes: NodeAttributes, types: Sequence[str]) -> Dtype:
    """Return "fp16" or "fp32" of the types of a node's inputs, by TensorRT's names ("HALF", "FLOAT").

    Raises:
        ModelError: too few or too many inputs, types that differ, or one we have no kernel for.
    """
    names = input_names(attributes, len(types))
    if len(set(types)) > 1:
        listed = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
        raise ModelError(
            f"its inputs are of several types ({listed}); all must be FLOAT, or all HALF, "
            "and a node with a mask needs a bias (zeros will do)."
        )
    if types[0] not in DTYPES:
        raise ModelError(
            f"its inputs are {types[0]}; it can be compiled for FLOAT and HALF, so convert it to one of them."
        )
    return DTYPES[types[0]]


def input_names(attributes: NodeAttributes, n_inputs: int) -> tuple[str, ...]:
    """Return the names of a node's inputs, in order.

    Raises:
        ModelError: there can't be so many.
    """
    if attributes.packed:
        allowed: tuple[tuple[str, ...], ...] = (("x", "weight", "offset", "bias"),)
    elif attributes.mask_logits:
        allowed = (("x", "weight", "offset", "bias", "mask"),)
    else:
        allowed = (("x", "weight", "offset", "bias"), ("x", "weight", "offset", "bias", "mask"))
    for names in allowed:
        if len(names) == n_inputs:
            return names
    expected = " or ".join(", ".join(names) for names in allowed)
    raise ModelError(f"it has {n_inputs} inputs, expected were {expected}; export a bias (zeros will do).")


def problem_of_node(attributes: NodeAttributes, dtype: Dtype, shapes: Sequence[Shape]) -> Problem:
    """Return what a node computes.

    Args:
        attributes: its attributes.
        dtype: "fp16" or "fp32".
        shapes: of its inputs in order; -1 stands for a size that is not fixed, which n, H, W, H' and W' may be.

    Raises:
        ModelError: too few or too many inputs, or a size that must be fixed is not.
        ShapeError: the shapes do not fit together or the attributes.
    """
    by_name = dict(zip(input_names(attributes, len(shapes)), shapes, strict=True))
    _check_ranks(by_name)
    channels, weight = by_name["x"][1], by_name["weight"]
    if UNKNOWN in (channels, *weight):
        raise ModelError(f"x has {channels} channels and weight is {list(weight)}; they must be fixed, -1 is not.")
    problem = Problem(
        channels=channels,
        c_out=weight[0],
        kernel=_pair(weight[2:]),
        strides=_pair(attributes.strides),
        dilations=_pair(attributes.dilations),
        pads=(attributes.pads[0], attributes.pads[1], attributes.pads[2], attributes.pads[3]),
        group=attributes.group,
        offset_group=attributes.offset_group,
        mask=_mask_kind(attributes, by_name),
        packed=bool(attributes.packed),
        dtype=dtype,
    )
    _check_weights(attributes, problem, by_name)
    check_sizes(problem, shapes)
    return problem


def check_sizes(problem: Problem, shapes: Sequence[Shape]) -> None:
    """Compare the sizes that a profile or a run has filled in; what is still -1 fits everything.

    Raises:
        ShapeError: channels, frames or sizes of offset or mask are not those that x asks for.
    """
    n, _, height, width = shapes[0]
    out_size = (UNKNOWN, UNKNOWN) if UNKNOWN in (height, width) else problem.out_size(height, width)
    named = "the packed tensor of offset and mask logits" if problem.packed else "offset"
    expected = [(named, shapes[2], (n, problem.offset_channels, *out_size))]
    if problem.mask_channels:
        expected.append(("mask", shapes[4], (n, problem.mask_channels, *out_size)))
    for name, shape, right in expected:
        if not all(UNKNOWN in pair or pair[0] == pair[1] for pair in zip(shape, right, strict=True)):
            raise ShapeError(
                f"{name} is {_shown(shape)}, not {_shown(right)}, which x {_shown(shapes[0])}, "
                f"kernel {problem.kernel} and offset_group {problem.offset_group} ask for."
            )


def _check_ranks(by_name: Mapping[str, Shape]) -> None:
    for name, shape in by_name.items():
        if len(shape) != RANKS[name]:
            raise ShapeError(
                f"{name} is {_shown(shape)}; it must have {RANKS[name]} dimensions (two-dimensional frames)."
            )


def _check_weights(attributes: NodeAttributes, problem: Problem, by_name: Mapping[str, Shape]) -> None:
    weight, bias = by_name["weight"], by_name["bias"]
    if weight[1] * problem.group != problem.channels:
        raise ShapeError(f"x has {problem.channels} channels, weight is {list(weight)} in {problem.group} groups.")
    if attributes.kernel_shape not in ((), problem.kernel):
        raise ShapeError(f"kernel_shape is {list(attributes.kernel_shape)}, but weight is {list(weight)}.")
    if bias[0] not in (UNKNOWN, problem.c_out):
        raise ShapeError(f"bias has {bias[0]} elements, weight is {list(weight)}.")


def _mask_kind(attributes: NodeAttributes, by_name: Mapping[str, Shape]) -> Mask:
    if attributes.packed or attributes.mask_logits:
        return "logits"
    return "values" if "mask" in by_name else "none"


def _pair(numbers: Sequence[int]) -> tuple[int, int]:
    return numbers[0], numbers[1]


def _shown(shape: Shape) -> str:
    return "[" + ", ".join("?" if size == UNKNOWN else str(size) for size in shape) + "]"
