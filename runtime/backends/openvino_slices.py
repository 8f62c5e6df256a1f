"""Slices of the window before it is converted: a network that reads four of seven frames converts four, not seven."""

import numpy as np
import openvino
import openvino.opset13 as ops


def slices_before_conversion(model: openvino.Model) -> int:
    """Let every slice of a converted input read the integers, and convert what it took, in place; exact.

    Each reader then gets its frames in the layout it wants, too: in bf16, channels last, a slice is copied element by
    element.

    Returns:
        how many slices were moved.
    """
    moved = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Slice":
            continue
        source, conversions = _conversions(node.input_value(0))
        if conversions and source.get_node().get_type_name() == "Parameter":
            _move(node, source, conversions)
            moved += 1
    return moved


def _conversions(value: openvino.Output) -> tuple[openvino.Output, list[openvino.Node]]:
    """Walk up through casts and products with one number; returns where that ends, and the nodes, last one first."""
    nodes = []
    while (node := value.get_node()).get_type_name() == "Convert" or _is_scaling(node):
        nodes.append(node)
        value = node.input_value(0)
    return value, nodes


def _is_scaling(node: openvino.Node) -> bool:
    if node.get_type_name() != "Multiply":
        return False
    factor = node.input_value(1).get_node()
    return factor.get_type_name() == "Constant" and np.size(factor.data) == 1


def _move(slice_node: openvino.Node, source: openvino.Output, conversions: list[openvino.Node]) -> None:
    places = [slice_node.input_value(i) for i in range(1, slice_node.get_input_size())]
    taken = ops.slice(source, *places)
    for conversion in reversed(conversions):
        if conversion.get_type_name() == "Convert":
            taken = ops.convert(taken, conversion.get_element_type().get_type_name())
        else:
            taken = ops.multiply(taken, conversion.input_value(1))
    slice_node.output(0).replace(taken.output(0))
