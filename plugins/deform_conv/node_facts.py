"""What an ONNX graph says of its deformable convolutions: types of values, and the problem a node solves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper

from cvqe.errors import ModelError
from plugins.deform_conv.problem import Dtype, Problem

STANDARD = "DeformConv"  # of the default domain, opset 19 and 22
CUSTOM, CUSTOM_DOMAIN, CUSTOM_OPSET = "CvqeDeformConv", "cvqe", 1
X, WEIGHT, OFFSET, BIAS, MASK = range(5)  # places of the inputs, the same in both
DTYPES: Mapping[int, Dtype] = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16"}


@dataclass(frozen=True)
class ValueType:
    """Element type of a tensor, one of TensorProto's, and its shape; None is a dimension that is free."""

    element: int
    shape: tuple[int | None, ...]


def is_standard(node: onnx.NodeProto) -> bool:
    """Tell whether a node is the standard's deformable convolution."""
    return node.op_type == STANDARD and node.domain in ("", "ai.onnx")


def is_custom(node: onnx.NodeProto) -> bool:
    """Tell whether a node is ours."""
    return bool(node.op_type == CUSTOM and node.domain == CUSTOM_DOMAIN)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def value_types(model: onnx.ModelProto) -> dict[str, ValueType]:
    """Return what ONNX's shape inference finds out about every tensor; our own plain nodes count as the standard's."""
    known = onnx.ModelProto()
    known.CopyFrom(model)
    for node in known.graph.node:
        if is_custom(node) and not attributes_of(node).get("packed"):
            node.op_type, node.domain = STANDARD, ""
            kept = [attribute for attribute in node.attribute if attribute.name not in ("packed", "mask_logits")]
            del node.attribute[:]
            node.attribute.extend(kept)
    graph = onnx.shape_inference.infer_shapes(known, data_prop=True).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    types = {value.name: _value_type(value.type.tensor_type) for value in values}
    stored = {tensor.name: ValueType(tensor.data_type, tuple(tensor.dims)) for tensor in graph.initializer}
    return types | stored


def problem_from_node(node: onnx.NodeProto, types: Mapping[str, ValueType]) -> Problem:
    """Read what a DeformConv or CvqeDeformConv node computes.

    Args:
        node: of a graph that `types` was made from.
        types: of `value_types`.

    Raises:
        ModelError: the shape of its weights is not known, or its type is neither float32 nor float16.
        ShapeError: its attributes contradict its weights.
    """
    name = node.name or node.output[0]
    weight = types.get(node.input[WEIGHT], ValueType(TensorProto.UNDEFINED, ()))
    c_out, per_group, *kernel = _known_shape(weight, name)
    if weight.element not in DTYPES:
        found = TensorProto.DataType.Name(weight.element)
        raise ModelError(f"{name} is of type {found}; float32 or float16 was expected. Export the network again.")
    attributes = attributes_of(node)
    group, has_logits = int(attributes.get("group", 1)), bool(attributes.get("mask_logits", 0))
    return Problem(
        channels=per_group * group,
        c_out=c_out,
        kernel=(kernel[0], kernel[1]),
        strides=_numbers(attributes.get("strides"), (1, 1)),
        dilations=_numbers(attributes.get("dilations"), (1, 1)),
        pads=_numbers(attributes.get("pads"), (0, 0, 0, 0)),
        group=group,
        offset_group=int(attributes.get("offset_group", 1)),
        mask=("logits" if has_logits else "values") if _has_mask(node, attributes) else "none",
        packed=bool(attributes.get("packed", 0)),
        dtype=DTYPES[weight.element],
    )


def _has_mask(node: onnx.NodeProto, attributes: Mapping[str, Any]) -> bool:
    return bool(attributes.get("packed", 0)) or (len(node.input) > MASK and bool(node.input[MASK]))


def _known_shape(weight: ValueType, name: str) -> tuple[int, ...]:
    known = tuple(side for side in weight.shape if side is not None)
    if len(known) != 4 or len(weight.shape) != 4:
        raise ModelError(
            f"the weight of {name} is of shape {list(weight.shape)}; four known sizes were expected. "
            "Export the network again."
        )
    return known


def _numbers(told: Sequence[int] | None, default: tuple[int, ...]) -> Any:
    return default if told is None else tuple(int(number) for number in told)


def _value_type(tensor: Any) -> ValueType:
    shape = (dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
    return ValueType(tensor.elem_type, tuple(shape))
