"""A small network that denoises, in floating point and with Q and DQ nodes around its second convolution.

window in levels --> mean of all frames less the target, twice --> LeakyReLU --> [Q, DQ] --> convolution --> + target
"""

import hashlib
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from calibration.samples import Sample
from cvqe.pixels import FLOAT_LUMA, FLOAT_WINDOW, with_pixel_ends
from tests.engines import network_manifest

FRAMES, CHANNELS, SLOPE = 7, 16, 0.1
AMAX = 24.0  # of what the second convolution reads: noise of some levels
LEVELS = 255.0  # whole numbers, which bfloat16 holds exactly
STEPS = {"int8": 127, "fp8": 448}  # the largest value of each type
NOISE_LEVELS = 6.0
TYPES = {"int8": TensorProto.INT8, "fp8": TensorProto.FLOAT8E4M3FN}
SECOND = "second"  # the quantised convolution; its output has its name


def float_model(**told: Any) -> onnx.ModelProto:
    """Return the network in float32, with pixel ends and metadata."""
    tensors = [*_first(), _tensor("second.weight", _second())]
    ends = (
        helper.make_tensor_value_info(FLOAT_WINDOW, TensorProto.FLOAT, [1, FRAMES, "height", "width"]),
        helper.make_tensor_value_info(FLOAT_LUMA, TensorProto.FLOAT, [1, 1, "height", "width"]),
    )
    graph = helper.make_graph(_nodes(), "small", [ends[0]], [ends[1]], tensors)
    core = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = with_pixel_ends(core, 8, FRAMES)
    helper.set_model_props(model, network_manifest(**{"precision": "fp32", **told}).to_properties())
    return model


def quantised_model(to: str = "int8", amax: float = AMAX, **told: Any) -> onnx.ModelProto:
    """Return the network with its second convolution quantised; an amax that is far off makes it lose much."""
    return with_quantised_conv(float_model(precision=to, **told), SECOND, to, amax)


def with_quantised_conv(model: onnx.ModelProto, name: str, to: str = "int8", amax: float = AMAX) -> onnx.ModelProto:
    """Put Q and DQ nodes in front of a convolution, and its weights into a DQ node, in place; returns the model."""
    graph = model.graph
    place, conv = next((number, node) for number, node in enumerate(graph.node) if node.name == name)
    weight = numpy_helper.to_array(next(tensor for tensor in graph.initializer if tensor.name == conv.input[1]))
    x, w = conv.input[0], conv.input[1]
    nodes = [
        helper.make_node("QuantizeLinear", [x, f"{x}.scale", f"{x}.zero"], [f"{x}.q"], f"{x}.q"),
        helper.make_node("DequantizeLinear", [f"{x}.q", f"{x}.scale", f"{x}.zero"], [f"{x}.dq"], f"{x}.dq"),
        helper.make_node("DequantizeLinear", [f"{w}.q", f"{w}.scale", f"{w}.zero"], [f"{w}.dq"], f"{w}.dq", axis=0),
    ]
    step = _tensor(f"{x}.scale", np.array(amax / STEPS[to], weight.dtype))
    graph.initializer.extend([step, helper.make_tensor(f"{x}.zero", TYPES[to], [], [0]), *_rounded(w, weight, to)])
    conv.input[:2] = [f"{x}.dq", f"{w}.dq"]
    for node in reversed(nodes):
        graph.node.insert(place, node)
    return model


def save_pair(
    folder: Path, to: str = "int8", name: str = "small", amax: float = AMAX, **calibration: Any
) -> tuple[Path, Path]:
    """Write both versions under the names that the runtime looks for; returns their paths."""
    plain, calibrated = folder / f"{name}.onnx", folder / f"{name}_{to}.onnx"
    onnx.save(float_model(), plain)
    source = hashlib.sha256(plain.read_bytes()).hexdigest()
    told = {"to": to, "source_sha256": source, **calibration}
    onnx.save(quantised_model(to, amax, calibration=told), calibrated)
    return plain, calibrated


def noisy_sample(clip: str, seed: int = 0, size: tuple[int, int] = (40, 56)) -> Sample:
    """Return a still picture under noise that is another in each frame: what the network is good at."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    clean = np.round(120 + 70 * np.sin(x / 7 + seed) * np.cos(y / 9)).astype(np.uint8)
    noisy = clean + random.normal(0, NOISE_LEVELS, (FRAMES, *size))
    return Sample(clip, "ldp", 37, 0, np.clip(np.round(noisy), 0, 255).astype(np.uint8), clean, 37.0, None)


def _nodes() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Slice", [FLOAT_WINDOW, "from", "to", "frame_axis"], ["target"]),
        helper.make_node("Mul", [FLOAT_WINDOW, "levels"], ["window_levels"]),
        helper.make_node("Conv", ["window_levels", "first.weight"], ["difference"], "first"),
        helper.make_node("LeakyRelu", ["difference"], ["features"], alpha=SLOPE),
        helper.make_node("Conv", ["features", "second.weight"], [SECOND], SECOND, pads=[1] * 4),
        helper.make_node("Add", ["target", SECOND], [FLOAT_LUMA]),
    ]


def _first() -> list[onnx.TensorProto]:
    """Return what makes the mean of all frames less the target, with either sign by turns."""
    weight = np.full((CHANNELS, FRAMES, 1, 1), 1 / FRAMES, np.float32)
    weight[:, FRAMES // 2] -= 1
    weight[1::2] *= -1
    places = {"from": FRAMES // 2, "to": FRAMES // 2 + 1, "frame_axis": 1}
    levels = _tensor("levels", np.float32(LEVELS))
    return [levels, _tensor("first.weight", weight), *(_tensor(name, np.array([at])) for name, at in places.items())]


def _second() -> NDArray[np.float32]:
    """Return what joins both signs again: LeakyReLU(a) - LeakyReLU(-a) = (1 + slope) a."""
    weight = np.zeros((1, CHANNELS, 3, 3), np.float32)
    weight[0, ::2, 1, 1], weight[0, 1::2, 1, 1] = 1, -1
    return weight * np.float32(2 / CHANNELS / (1 + SLOPE) / LEVELS)


def _rounded(name: str, weight: NDArray[Any], to: str) -> list[onnx.TensorProto]:
    """Return a weight in the type's own numbers, with a scale and a zero point for every output channel."""
    amax = np.abs(weight).max(tuple(range(1, weight.ndim)), keepdims=True).astype(np.float32)
    scale = np.maximum(amax, 2**-14) / STEPS[to]
    scaled = weight / scale
    rounded = np.round(scaled).astype(np.int8) if to == "int8" else scaled.astype(ml_dtypes.float8_e4m3fn)
    zero = helper.make_tensor(f"{name}.zero", TYPES[to], [len(weight)], [0] * len(weight))
    return [_tensor(f"{name}.q", rounded), _tensor(f"{name}.scale", scale.ravel().astype(weight.dtype)), zero]


def _tensor(name: str, value: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)
