"""A network that hands out what it was given: its guide, or one frame of its window."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.pixels import FLOAT_GUIDE, FLOAT_LUMA, FLOAT_WINDOW, with_pixel_ends
from tests.engines import network_manifest

SHOWN_GUIDE = "guide"


def save_guided_network(path: Path, shows: str | int = SHOWN_GUIDE, bit_depth: int = 8, **changes: Any) -> Path:
    """Write a network whose enhanced luma is its guide, rounded to levels, or frame number `shows` of its window."""
    told = {"radius": 1, "qp": (), "precision": "fp32", "takes_guide": True, **changes}
    manifest = network_manifest(bit_depth=bit_depth, **told)
    places = {"first": [shows], "last": [shows + 1], "axis": [1]} if isinstance(shows, int) else {}
    slices = [helper.make_node("Slice", [FLOAT_WINDOW, *places], [FLOAT_LUMA], "shown")] if places else []
    shown = slices or [helper.make_node("Identity", [FLOAT_GUIDE], [FLOAT_LUMA], "shown")]
    graph = helper.make_graph(
        shown,
        "guided",
        [_value(FLOAT_WINDOW, manifest.window_frames), _value(FLOAT_GUIDE, 1)],
        [_value(FLOAT_LUMA, 1)],
        [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in places.items()],
    )
    core = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = with_pixel_ends(core, bit_depth, manifest.window_frames)
    helper.set_model_props(model, manifest.to_properties())
    onnx.save(model, path)
    return path


def _value(name: str, n_frames: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n_frames, "height", "width"])
