"""Small networks that build in a moment, and engine files that nobody built."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.engine_manifest import EngineManifest, ShapeRange, manifest_path
from cvqe.manifest import WINDOW, Manifest
from cvqe.pixels import FLOAT_LUMA, FLOAT_WINDOW, with_pixel_ends

TAPS = 1  # Triton compiles that in a moment


def network_manifest(**changes: Any) -> Manifest:
    """Return what a small network says of itself."""
    told = {
        "network": "small",
        "options": {},
        "radius": 3,
        "qp": (37,),
        "bit_depth": 8,
        "precision": "fp16",
        "n_parameters": 1,
        "checkpoint_sha256": "0" * 64,
        "date": "2026-01-01",
        "version": "0.1.0",
    }
    return Manifest(**{**told, **changes})


def save_small_network(
    path: Path, with_deform_conv: bool = False, bit_depth: int = 8, channels: int = 4, seed: int = 0
) -> Path:
    """Write an exported file of a few convolutions in fp16, one of them deformable where asked for."""
    manifest = network_manifest(bit_depth=bit_depth)
    weights = _Weights(seed)
    frames = manifest.window_frames
    make = _deform_conv if with_deform_conv else _conv
    nodes = [
        helper.make_node("Cast", [FLOAT_WINDOW], ["x"], "in", to=TensorProto.FLOAT16),
        *make(weights, frames, channels),
        weights.conv("f", "y", 1, channels, "last"),
        helper.make_node("Cast", ["y"], [FLOAT_LUMA], "out", to=TensorProto.FLOAT),
    ]
    ends = (
        helper.make_tensor_value_info(FLOAT_WINDOW, TensorProto.FLOAT, [1, frames, "height", "width"]),
        helper.make_tensor_value_info(FLOAT_LUMA, TensorProto.FLOAT, [1, 1, "height", "width"]),
    )
    graph = helper.make_graph(nodes, "small", [ends[0]], [ends[1]], weights.tensors)
    core = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = with_pixel_ends(core, bit_depth, frames)
    helper.set_model_props(model, manifest.to_properties())
    onnx.save(model, path)
    return path


def save_engine(path: Path, content: bytes = b"engine", **changes: Any) -> EngineManifest:
    """Write an engine file of any content and its manifest."""
    manifest = engine_manifest(
        **{"engine_sha256": hashlib.sha256(content).hexdigest(), "engine_bytes": len(content), **changes}
    )
    path.write_bytes(content)
    manifest_path(path).write_text(manifest.to_json())
    return manifest


def engine_manifest(**changes: Any) -> EngineManifest:
    """Return a manifest of a static engine of the small network at 96x64 for 8.9."""
    shape = (1, 7, 64, 96)
    told: dict[str, Any] = {
        "engine_sha256": "1" * 64,
        "engine_bytes": 6,
        "key": "2" * 64,
        "onnx": "small.onnx",
        "onnx_sha256": "3" * 64,
        "plugin_sha256": "4" * 64,
        "library": "tensorrt-rtx",
        "library_version": "1.7.1.116",
        "cuda_version": None,
        "driver_version": None,
        "compute_capabilities": (89,),
        "is_portable": False,
        "device": None,
        "build": {"memPoolSize": None, "versionCompatible": False},
        "profile": {WINDOW: ShapeRange(shape, shape, shape)},
        "n_fused": 1,
        "network": network_manifest(),
        "date": "2026-01-01T00:00:00+00:00",
        "version": "0.1.0",
    }
    return EngineManifest(**{**told, **changes})


class _Weights:
    """Made-up float16 weights, each a tensor of the file."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.tensors: list[onnx.TensorProto] = []

    def add(self, name: str, *shape: int) -> str:
        values = (0.1 * self.random.standard_normal(shape)).astype(np.float16)
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, source: str, target: str, c_out: int, c_in: int, name: str) -> onnx.NodeProto:
        weight, bias = self.add(f"{name}.weight", c_out, c_in, 3, 3), self.add(f"{name}.bias", c_out)
        return helper.make_node("Conv", [source, weight, bias], [target], name, pads=[1] * 4)


def _conv(weights: _Weights, frames: int, channels: int) -> list[onnx.NodeProto]:
    return [weights.conv("x", "f", channels, frames, "first")]


def _deform_conv(weights: _Weights, frames: int, channels: int) -> list[onnx.NodeProto]:
    n_mask = frames * TAPS
    weights.tensors.append(numpy_helper.from_array(np.array([2 * n_mask, n_mask], np.int64), "sizes"))
    inputs = ["x", weights.add("dcn.weight", channels, frames, 1, 1), "offset", weights.add("dcn.bias", channels), "m"]
    shape = {"kernel_shape": [1, 1], "pads": [0] * 4, "strides": [1, 1], "dilations": [1, 1]}
    return [
        weights.conv("x", "offset_mask", 3 * n_mask, frames, "offset_mask"),
        helper.make_node("Split", ["offset_mask", "sizes"], ["offset", "logits"], "split", axis=1),
        helper.make_node("Sigmoid", ["logits"], ["m"], "sigmoid"),
        helper.make_node("DeformConv", inputs, ["f"], "dcn", group=1, offset_group=frames, **shape),
    ]
