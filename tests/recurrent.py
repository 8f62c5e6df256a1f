"""A recurrent network that counts: what it enhances a frame to is the number of frames that it remembers."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.manifest import HIDDEN, HIDDEN_NEXT
from cvqe.pixels import FLOAT_LUMA, FLOAT_WINDOW, with_pixel_ends
from tests.engines import network_manifest

LEVEL = 4 / 1023  # 0.997 of a level of 8 bits: the right one up to 150 of them


def save_counting_network(path: Path, bit_depth: int = 8) -> Path:
    """Write a network of one frame whose levels are 1 in a scene's first frame, 2 in the next, all over the picture.

    Of ten bits they are 4, 8, ...
    """
    manifest = network_manifest(radius=0, qp=(), precision="fp32", hidden_channels=1, bit_depth=bit_depth)
    nodes = [
        helper.make_node("Add", [HIDDEN, "level"], [HIDDEN_NEXT], "count"),
        helper.make_node("Mul", [FLOAT_WINDOW, "none"], ["nothing"], "forget"),
        helper.make_node("Add", ["nothing", HIDDEN_NEXT], [FLOAT_LUMA], "show"),
    ]
    constants = {"level": LEVEL, "none": 0.0}
    graph = helper.make_graph(
        nodes,
        "counting",
        [_plane(FLOAT_WINDOW), _plane(HIDDEN)],
        [_plane(FLOAT_LUMA), _plane(HIDDEN_NEXT)],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()],
    )
    core = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = with_pixel_ends(core, bit_depth, manifest.window_frames)
    helper.set_model_props(model, manifest.to_properties())
    onnx.save(model, path)
    return path


def _plane(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, "height", "width"])
