"""The integer ends of an exported graph: pixels in, pixels out, float32 luma between.

    window uint8 -> [unpack, / peak] -> network -> luma float32 -> [* peak, round, clamp, pack] -> enhanced uint8
    guide (some) --------> [/ peak] -/   /             \\-> mean (NaN or infinite when a pixel is)
    qp (some) --------------------------/

8 bit: one byte a sample, peak 255. Deeper: little-endian byte pairs and an input `peak` (1023, 4095, ...),
because TensorRT has no 16-bit integer type.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.manifest import ENHANCED, GUIDE, HIDDEN, HIDDEN_NEXT, MEAN, PEAK, QP, WINDOW

ENDS = "pixels/"  # every node made here is named with it, so that one depth can be exchanged for another
FLOAT_WINDOW = "window_float"  # the network's own input, float32 [1, 2R+1, H, W] in [0, 1]
FLOAT_GUIDE = "guide_float"  # where it takes a guide: its second own input, float32 [1, 1, H, W] in [0, 1]
FLOAT_LUMA = "luma_float"  # the network's own output, float32 [1, 1, H, W], before rounding


def with_pixel_ends(core: onnx.ModelProto, bit_depth: int, window_frames: int) -> onnx.ModelProto:
    """Return a copy of a model whose ends take and give integer luma; a QP and a hidden state stay what they are.

    A guide is float32 at any depth, in levels of the samples: means of some of them, which need no rounding.

    Args:
        core: a float model (inputs FLOAT_WINDOW, perhaps QP, FLOAT_GUIDE and HIDDEN; outputs FLOAT_LUMA, perhaps
            HIDDEN_NEXT), or one that has ends already: they are replaced.
        bit_depth: 8 for bytes, 16 for little-endian byte pairs with a `peak` input.
        window_frames: 2R+1.
    """
    model = onnx.ModelProto()
    model.CopyFrom(core)
    graph = model.graph
    kept_nodes = [node for node in graph.node if not node.name.startswith(ENDS)]
    kept_constants = [tensor for tensor in graph.initializer if not tensor.name.startswith(ENDS)]
    qp, hidden = ([value for value in core.graph.input if value.name == name] for name in (QP, HIDDEN))
    hidden_next = [value for value in core.graph.output if value.name == HIDDEN_NEXT]
    ends = _ByteEnds() if bit_depth == 8 else _BytePairEnds()
    guide = [_GUIDE_INPUT] * any(value.name in (GUIDE, FLOAT_GUIDE) for value in core.graph.input)
    unpack = [*ends.unpack(), *(ends.scale_guide() for _ in guide)]
    del graph.node[:], graph.initializer[:], graph.input[:], graph.output[:]
    graph.node.extend([*unpack, *kept_nodes, *ends.pack(), _node("ReduceMean", [FLOAT_LUMA], MEAN, keepdims=0)])
    graph.initializer.extend([*kept_constants, *ends.constants()])
    graph.input.extend([*ends.inputs(window_frames), *qp, *guide, *hidden])
    graph.output.extend(
        [
            helper.make_tensor_value_info(ENHANCED, TensorProto.UINT8, [1, 1, "height", "width", *ends.tail]),
            helper.make_tensor_value_info(MEAN, TensorProto.FLOAT, []),
            *hidden_next,
        ]
    )
    return model


_GUIDE_INPUT = helper.make_tensor_value_info(GUIDE, TensorProto.FLOAT, [1, 1, "height", "width"])


def _node(op_type: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs, [output], name=ENDS + output, **attributes)


def _constant(name: str, value: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, dtype), ENDS + name)


class _ByteEnds:
    """One byte a sample."""

    tail: tuple[int, ...] = ()

    def inputs(self, window_frames: int) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(WINDOW, TensorProto.UINT8, [1, window_frames, "height", "width"])]

    def constants(self) -> list[onnx.TensorProto]:
        return [_constant("zero", 0), _constant("peak", 255), _constant("per_level", 1 / 255)]

    def unpack(self) -> list[onnx.NodeProto]:
        levels = ENDS + "levels"
        return [
            _node("Cast", [WINDOW], levels, to=TensorProto.FLOAT),
            _node("Mul", [levels, ENDS + "per_level"], FLOAT_WINDOW),
        ]

    def scale_guide(self) -> onnx.NodeProto:
        return _node("Mul", [GUIDE, ENDS + "per_level"], FLOAT_GUIDE)

    def pack(self) -> list[onnx.NodeProto]:
        return [
            *_whole_levels(ENDS + "peak"),
            _node("Cast", [ENDS + "whole"], ENHANCED, to=TensorProto.UINT8),
        ]


class _BytePairEnds:
    """Two bytes a sample, low one first; float32 holds every value of 16 bits exactly."""

    tail: tuple[int, ...] = (2,)

    def inputs(self, window_frames: int) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(WINDOW, TensorProto.UINT8, [1, window_frames, "height", "width", 2]),
            helper.make_tensor_value_info(PEAK, TensorProto.FLOAT, []),
        ]

    def constants(self) -> list[onnx.TensorProto]:
        return [
            _constant("zero", 0),
            _constant("per_byte", 1 / 256),
            _constant("byte", 256),
            _constant("first", 0, np.int64),
            _constant("second", 1, np.int64),
            _constant("last", [-1], np.int64),
        ]

    def unpack(self) -> list[onnx.NodeProto]:
        # no sum over the last axis: OpenVINO 2026.4 damages its heap reducing an axis of two
        # bytes are cast before they are told apart: TensorRT gathers no uint8
        names = ("bytes", "low_level", "high_level", "high_part", "joined")
        both, low, high, high_part, joined = (ENDS + "in_" + name for name in names)
        return [
            _node("Cast", [WINDOW], both, to=TensorProto.FLOAT),
            _node("Gather", [both, ENDS + "first"], low, axis=-1),
            _node("Gather", [both, ENDS + "second"], high, axis=-1),
            _node("Mul", [high, ENDS + "byte"], high_part),
            _node("Add", [low, high_part], joined),
            _node("Div", [joined, PEAK], FLOAT_WINDOW),
        ]

    def scale_guide(self) -> onnx.NodeProto:
        return _node("Div", [GUIDE, PEAK], FLOAT_GUIDE)

    def pack(self) -> list[onnx.NodeProto]:
        whole, scaled, high, high_value, low, both = (
            ENDS + name for name in ("whole", "shifted", "high", "high_value", "low", "both")
        )
        return [
            *_whole_levels(PEAK),
            _node("Mul", [whole, ENDS + "per_byte"], scaled),
            _node("Floor", [scaled], high),
            _node("Mul", [high, ENDS + "byte"], high_value),
            _node("Sub", [whole, high_value], low),
            *[_node("Unsqueeze", [part, ENDS + "last"], part + "_last") for part in (low, high)],
            _node("Concat", [low + "_last", high + "_last"], both, axis=-1),
            _node("Cast", [both], ENHANCED, to=TensorProto.UINT8),
        ]


def _whole_levels(peak: str) -> list[onnx.NodeProto]:
    """Scale the luma to levels, round half to even, clamp to [0, peak]."""
    scaled, rounded = ENDS + "scaled", ENDS + "rounded"
    return [
        _node("Mul", [FLOAT_LUMA, peak], scaled),
        _node("Round", [scaled], rounded),
        _node("Clip", [rounded, ENDS + "zero", peak], ENDS + "whole"),
    ]
