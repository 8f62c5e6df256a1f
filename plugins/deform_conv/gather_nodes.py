"""DeformConv as plain ONNX nodes around four GatherElements, for backends that have neither the node nor our plugin.

    offset -> float32 -> [finite] -> floor ----> row, column -> index -> 4 x GatherElements <- x in a border of zeros
                             \\-> broken part -------------------------> bilinear sum, float32
    samples [N, C*K, H', W'] * mask -> 1x1 convolution with the weights -> y

The whole and the broken part of a displacement are kept apart, so no coordinate is ever rounded. Pixels stay in the
network's type until they are read, all sums are float32. Height, width and batch may be free. Indices, reads and sums
are tensors of C*K channels that a backend may have to write to memory; the plugin keeps them in registers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from plugins.deform_conv.node_facts import (
    BIAS,
    MASK,
    OFFSET,
    WEIGHT,
    ValueType,
    X,
    is_standard,
    problem_from_node,
    value_types,
)

BORDER = 2  # zeros around a picture: a sample at its far edge reads two rows, both outside
FAR = 2.0**20  # pixels; further than any picture is wide, and float32 still counts every pixel there
FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32


def with_gather_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy without DeformConv nodes: each is written as what it computes.

    NaN and displacements beyond any picture read 0, as in the plugin.

    Raises:
        ModelError: a node's weights are of unknown shape or type.
        ShapeError: a node's attributes contradict its weights.
    """
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    types = value_types(model)
    del rewritten.graph.node[:]
    for node in model.graph.node:
        if is_standard(node):
            decomposition = _Decomposition(node, types)
            rewritten.graph.node.extend(decomposition.nodes)
            rewritten.graph.initializer.extend(decomposition.constants)
        else:
            rewritten.graph.node.append(node)
    return rewritten


class _Decomposition:
    """The nodes and constants that stand for one DeformConv node; names start with its output's."""

    def __init__(self, node: onnx.NodeProto, types: Mapping[str, ValueType]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = f"{node.output[0]}/"
        self._problem = problem_from_node(node, types)
        self._inputs = [*node.input, *[""] * (MASK + 1 - len(node.input))]
        self._convolve(self._masked(self._samples()), node.output[0])

    def _samples(self) -> str:
        """Write the bilinear samples, float32 [N*G, C/G, K*H'*W']."""
        x, offset = self._inputs[X], self._inputs[OFFSET]
        widened = self._add("Pad", x, self._constant("border", [0, 0, BORDER, BORDER] * 2, np.int64))
        size = self._add("Shape", widened, start=2, end=4)
        height, width = (self._add("Gather", size, self._constant(f"axis{axis}", axis, np.int64)) for axis in (0, 1))
        float_offset = self._add("Cast", offset, to=FLOAT)
        pairs = self._add("Reshape", float_offset, self._out_shape(offset, -1, self._problem.n_taps, 2))
        rows, below = self._places(pairs, 0, height, offset)
        columns, right = self._places(pairs, 1, width, offset)
        stride = self._add("Cast", width, to=INT32)
        top_left = self._add("Add", self._add("Mul", rows, stride), columns)  # [N*G, K, H', W']
        pixels = self._pixels(widened, size)
        upper = self._between(self._read(pixels, top_left), self._read(pixels, self._next(top_left)), right)
        bottom_left = self._add("Add", top_left, stride)
        lower = self._between(self._read(pixels, bottom_left), self._read(pixels, self._next(bottom_left)), right)
        return self._between(upper, lower, below)

    def _pixels(self, widened: str, size: str) -> str:
        """Write x in its border as [N*G, C/G, (H+4)*(W+4)]."""
        n_pixels = self._add("ReduceProd", size, keepdims=1)
        per_group = self._problem.channels // self._problem.offset_group
        shape = self._add("Concat", self._constant("planes", [-1, per_group], np.int64), n_pixels, axis=0)
        return self._add("Reshape", widened, shape)

    def _places(self, pairs: str, axis: int, side: str, offset: str) -> tuple[str, str]:
        """Write where taps read along one axis: the pixel before, int32 [N*G, K, H', W'], and how far behind it.

        The latter is float32 [N*G, 1, K*H'*W'].
        """
        displacement = self._finite(self._add("Gather", pairs, self._constant(f"part{axis}", axis, np.int64), axis=2))
        whole = self._add("Floor", displacement)
        broken = self._flat(self._add("Sub", displacement, whole))
        place = self._add("Add", self._grid(axis, offset), whole)
        last = self._add("Cast", self._add("Sub", side, self._constant("pair", 2, np.int64)), to=FLOAT)
        inside = self._add("Max", self._add("Min", place, last), self._constant("zero", 0.0))
        return self._add("Cast", inside, to=INT32), broken

    def _grid(self, axis: int, offset: str) -> str:
        """Write where taps would read undisplaced, counted from the border's first pixel: [K, H', 1] or [K, 1, W']."""
        problem = self._problem
        tap = np.indices(problem.kernel)[axis].reshape(-1, 1, 1)
        first = tap * problem.dilations[axis] - problem.pads[axis] + BORDER
        length = self._add("Gather", self._add("Shape", offset), self._constant(f"out{axis}", 2 + axis, np.int64))
        counted = self._add("Range", self._constant("from", 0, np.int64), length, self._constant("step", 1, np.int64))
        stepped = self._add(
            "Mul", self._add("Cast", counted, to=FLOAT), self._constant(f"stride{axis}", problem.strides[axis])
        )
        shape = self._constant(f"along{axis}", [1, -1, 1] if axis == 0 else [1, 1, -1], np.int64)
        return self._add("Add", self._add("Reshape", stepped, shape), self._constant(f"first{axis}", first))

    def _finite(self, displacement: str) -> str:
        """Replace NaN and what is far away by what is far away; comparisons with NaN are false."""
        near, far = self._constant("near", -FAR), self._constant("far", FAR)
        above = self._add("Where", self._add("Greater", displacement, near), displacement, near)
        return self._add("Where", self._add("Less", above, far), above, far)

    def _read(self, pixels: str, index: str) -> str:
        """Write the pixels at these places, float32 [N*G, C/G, K*H'*W']."""
        flat = self._flat(index)
        per_group = self._problem.channels // self._problem.offset_group
        if per_group > 1:
            flat = self._add("Expand", flat, self._constant("every_plane", [1, per_group, 1], np.int64))
        return self._add("Cast", self._add("GatherElements", pixels, flat, axis=2), to=FLOAT)

    def _next(self, index: str) -> str:
        return self._add("Add", index, self._constant("one_pixel", 1, np.int32))

    def _between(self, first: str, second: str, share: str) -> str:
        rest = self._add("Sub", self._constant("one", 1.0), share)
        return self._add("Add", self._add("Mul", first, rest), self._add("Mul", second, share))

    def _masked(self, samples: str) -> str:
        """Write the samples times their mask as [N, C*K, H', W']."""
        offset, mask = self._inputs[OFFSET], self._inputs[MASK]
        if mask:
            taps = self._add("Reshape", mask, self._out_shape(offset, -1, self._problem.n_taps))
            samples = self._add("Mul", samples, self._flat(self._add("Cast", taps, to=FLOAT)))
        return self._add("Reshape", samples, self._out_shape(offset, -1, self._problem.channels * self._problem.n_taps))

    def _convolve(self, columns: str, y: str) -> None:
        problem = self._problem
        shape = [problem.c_out, problem.channels // problem.group * problem.n_taps, 1, 1]
        weight = self._add("Reshape", self._inputs[WEIGHT], self._constant("as_1x1", shape, np.int64))
        wide = [self._add("Cast", name, to=FLOAT) for name in (weight, self._inputs[BIAS]) if name]
        summed = self._add("Conv", columns, *wide, group=problem.group)
        kind = FLOAT if problem.dtype == "fp32" else TensorProto.FLOAT16
        self.nodes.append(helper.make_node("Cast", [summed], [y], name=self._prefix + "y", to=kind))

    def _flat(self, tensor: str) -> str:
        """Write [N*G, K, H', W'] as [N*G, 1, K*H'*W']."""
        return self._add("Reshape", tensor, self._constant("flat", [0, 1, -1], np.int64))

    def _out_shape(self, offset: str, *leading: int) -> str:
        """Write the shape (*leading, H', W')."""
        out_size = self._add("Shape", offset, start=2, end=4)
        name = "by_" + "_".join(map(str, leading))
        return self._add("Concat", self._constant(name, leading, np.int64), out_size, axis=0)

    def _add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        output = f"{self._prefix}{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], name=output, **attributes))
        return output

    def _constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        full = self._prefix + name
        if all(tensor.name != full for tensor in self.constants):
            array: NDArray[Any] = np.array(value, dtype)
            self.constants.append(numpy_helper.from_array(array, full))
        return full
