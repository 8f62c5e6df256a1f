"""Slices of the window before it is converted: a network that reads four of seven frames converts four, not seven.

    window -> Convert -> ... -> Slice        becomes    window -> Slice -> Convert -> ...

What stands between may be a cast, products and sums with single numbers, or the joining of byte pairs. Under bf16 it
also keeps the target exact: a slice of what was converted for the convolutions is rounded as they want it (TGAFNet then
loses a third of its gain).
"""

import openvino
import openvino.opset13 as ops

ELEMENTWISE = {"Multiply": ops.multiply, "Add": ops.add, "Subtract": ops.subtract, "Divide": ops.divide}


def slices_before_conversion(model: openvino.Model) -> int:
    """Let every slice of a converted window read the integers, and convert what it took, in place; exact.

    Each reader then gets its frames in the layout it wants, too: in bf16, channels last, a slice is copied element by
    element.

    Returns:
        how many slices were moved.
    """
    moved = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Slice" and _is_converted(node.input_value(0)) and _has_plain_axes(node):
            places = [node.input_value(i) for i in range(1, node.get_input_size())]
            node.output(0).replace(_taken(node.input_value(0), places))
            moved += 1
    return moved


def _is_converted(value: openvino.Output) -> bool:
    """Tell whether a value is made from one input, of more than a number, by what is known to work pixel by pixel."""
    return _is_from_window(value) and value.get_node().get_type_name() != "Parameter"


def _is_from_window(value: openvino.Output) -> bool:
    node = value.get_node()
    kind = node.get_type_name()
    if kind == "Parameter":
        return not _is_number(value)
    if kind == "Convert" or _picks_a_byte(node):
        return _is_from_window(node.input_value(0))
    if kind not in ELEMENTWISE:
        return False
    arrays = [node.input_value(i) for i in range(2) if not _is_number(node.input_value(i))]
    return bool(arrays) and all(map(_is_from_window, arrays))


def _is_number(value: openvino.Output) -> bool:
    shape = value.get_partial_shape()
    return bool(shape.is_static) and all(length == 1 for length in shape.to_shape())


def _picks_a_byte(node: openvino.Node) -> bool:
    """Tell whether this takes one of the last axis, as it is done with byte pairs: no other axis moves."""
    if node.get_type_name() != "Gather":
        return False
    axis = node.input_value(2).get_node()
    is_last = axis.get_type_name() == "Constant" and axis.data.item() in (-1, len(node.get_input_partial_shape(0)) - 1)
    return is_last and len(node.get_input_partial_shape(1)) == 0


def _has_plain_axes(node: openvino.Node) -> bool:
    """Tell whether a slice counts its axes from the front, where those of byte pairs are the same."""
    axes = node.input_value(4).get_node() if node.get_input_size() > 4 else None
    return axes is not None and axes.get_type_name() == "Constant" and bool((axes.data >= 0).all())


def _taken(value: openvino.Output, places: list[openvino.Output]) -> openvino.Output:
    """Return the part of a value that a slice would take, made from the part of the window."""
    node = value.get_node()
    if _is_number(value):
        return value
    if node.get_type_name() == "Parameter":
        return ops.slice(value, *places).output(0)
    first = _taken(node.input_value(0), places)
    kind = node.get_type_name()
    if kind == "Convert":
        return ops.convert(first, node.get_element_type().get_type_name()).output(0)
    if kind == "Gather":
        return ops.gather(first, node.input_value(1), node.input_value(2)).output(0)
    return ELEMENTWISE[kind](first, _taken(node.input_value(1), places)).output(0)
