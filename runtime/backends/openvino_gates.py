"""Splits moved in front of the convolutions that feed them, as in the gates of a ConvLSTM.

convolution --\\                        convolution, part 1 -- + --> gate 1
               + --> split --> gates    convolution, part 2 -- + --> gate 2
convolution --/                        ...

Each gate then comes out of a convolution of its own, with its share of the filters: no time is spent on laying all
gates out and on reading them again in pieces. The numbers are the same sums.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray

from runtime.backends.openvino_splits import CHANNEL_AXIS, channel_splits

OUTPUT_AXIS = 0  # of a filter bank [C_out, C_in, kH, kW]
FEATURE_RANK = 4  # [N, C, H, W]
Output = Any  # openvino.Output, which is no type to mypy
Parts = list[Output]


def gates_before_split(model: openvino.Model) -> int:
    """Replace every split of feature channels that are sums of convolutions and constants, in place.

    Returns:
        how many splits were replaced.
    """
    splits = channel_splits(model)
    pushed = _Pushed(splits)
    narrowed = [(split, pushed.parts_of(split)) for split in splits]
    # not before all are known: a sum is taken apart only while every reader of it is a split
    replaced = [(split, parts) for split, parts in narrowed if parts is not None]
    for split, parts in replaced:
        _replace(split, parts)
    model.validate_nodes_and_infer_types()
    return len(replaced)


class _Pushed:
    """Narrower versions of what splits read; of two splits of one sum, both get the same."""

    def __init__(self, splits: Iterable[openvino.Node]) -> None:
        self._split_names = {split.get_friendly_name() for split in splits}
        self._known: dict[tuple[str, int, tuple[int, ...]], Parts | None] = {}

    def parts_of(self, split: openvino.Node) -> Parts | None:
        """Return what replaces each output of a split, None where it reads something else too."""
        widths = [split.get_output_partial_shape(i)[CHANNEL_AXIS].get_length() for i in range(split.get_output_size())]
        return self._narrowed(split.input_value(0), tuple(widths))

    def _narrowed(self, value: Output, widths: tuple[int, ...]) -> Parts | None:
        key = (value.get_node().get_friendly_name(), value.get_index(), widths)
        if key not in self._known:
            self._known[key] = self._made(value, widths)
        return self._known[key]

    def _made(self, value: Output, widths: tuple[int, ...]) -> Parts | None:
        node = value.get_node()
        kind = node.get_type_name()
        constant = _constant(node)
        if constant is not None:
            return _cut(constant, constant.ndim - FEATURE_RANK + CHANNEL_AXIS, widths)
        if not self._is_read_by_splits_alone(value):
            return None
        if kind == "Convolution":
            filters = _constant(node.input_value(1).get_node())
            return None if filters is None else _convolutions(node, filters, widths)
        if kind != "Add":
            return None
        left, right = (self._narrowed(node.input_value(i), widths) for i in range(2))
        if left is None or right is None:
            return None
        return [ops.add(a, b).output(0) for a, b in zip(left, right, strict=True)]

    def _is_read_by_splits_alone(self, value: Output) -> bool:
        """Tell whether nobody needs the wide tensor any more: else it would be computed twice."""
        readers = [target.get_node() for target in value.get_target_inputs()]
        return all(
            reader.get_friendly_name() in self._split_names
            or (reader.get_type_name() == "Add" and self._is_read_by_splits_alone(reader.output(0)))
            for reader in readers
        )


def _constant(node: openvino.Node) -> NDArray[np.float32] | None:
    """Return the content of a constant, in float32 where it is stored in less; None of anything else."""
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant" or node.get_element_type() not in _FLOATS:
        return None
    content: NDArray[np.float32] = node.get_data().astype(np.float32)
    return content


def _convolutions(node: openvino.Node, filters: NDArray[np.float32], widths: Sequence[int]) -> Parts:
    how = node.get_attributes()
    settings = [how[name] for name in ("strides", "pads_begin", "pads_end", "dilations", "auto_pad")]
    parts = _cut(filters, OUTPUT_AXIS, widths)
    return [ops.convolution(node.input_value(0), part, *settings).output(0) for part in parts]


def _cut(content: NDArray[np.float32], axis: int, widths: Sequence[int]) -> Parts:
    """Return a constant for each part; an axis below 0 is one that broadcasting adds."""
    if axis < 0 or content.shape[axis] == 1:  # the same for all channels
        return [ops.constant(content).output(0)] * len(widths)
    pieces = np.split(content, np.cumsum(widths)[:-1], axis)
    return [ops.constant(np.ascontiguousarray(piece)).output(0) for piece in pieces]


def _replace(split: openvino.Node, parts: Parts) -> None:
    for output, part in zip(split.outputs(), parts, strict=True):
        for target in list(output.get_target_inputs()):
            target.replace_source_output(part)


_FLOATS = [openvino.Type.f32, openvino.Type.f16, openvino.Type.bf16]
