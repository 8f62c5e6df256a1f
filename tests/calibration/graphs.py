"""Small float graphs with pixel ends, and frames to feed them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.manifest import WINDOW
from cvqe.pixels import FLOAT_LUMA, FLOAT_WINDOW, with_pixel_ends
from tests.engines import network_manifest

N_FRAMES = 3


class Net:
    """A float graph that grows node by node; every method returns the name of what it made."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def add(self, op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def conv(self, x: str, name: str, c_in: int, c_out: int, kernel: int = 3, **attributes: Any) -> str:
        spread = (c_in * kernel**2) ** -0.5
        weight = spread * self._random.standard_normal((c_out, c_in, kernel, kernel))
        names = [self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", 0.1 * np.ones(c_out))]
        return self.add("Conv", [x, *names], name, **{"pads": [kernel // 2] * 4, **attributes})

    def leaky(self, x: str) -> str:
        return self.add("LeakyRelu", [x], f"{x}.leaky", alpha=0.1)

    def model(self, last: str, **changes: Any) -> onnx.ModelProto:
        """Add the last tensor, [1, 1, H, W], to the window's middle frame."""
        ends = {"slice.start": [1], "slice.end": [2], "slice.axis": [1]}
        middle = self.add("Slice", [FLOAT_WINDOW, *(self.constant(k, v, np.int64) for k, v in ends.items())], "middle")
        self.add("Add", [middle, last], FLOAT_LUMA)
        size = ["height", "width"]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(FLOAT_WINDOW, TensorProto.FLOAT, [1, N_FRAMES, *size])],
            [helper.make_tensor_value_info(FLOAT_LUMA, TensorProto.FLOAT, [1, 1, *size])],
            self.constants,
        )
        core = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        model = with_pixel_ends(core, 8, N_FRAMES)
        manifest = network_manifest(**{"radius": 1, "precision": "fp32", **changes})
        helper.set_model_props(model, manifest.to_properties())
        return model


def residual_net(channels: int = 32, seed: int = 0, **changes: Any) -> onnx.ModelProto:
    """Return first -> [second -> third] + skip -> last: the shape of our networks, in small."""
    net = Net(seed)
    first = net.leaky(net.conv(FLOAT_WINDOW, "first", N_FRAMES, channels))
    third = net.conv(net.leaky(net.conv(first, "second", channels, channels)), "third", channels, channels)
    summed = net.leaky(net.add("Add", [first, third], "sum"))
    scaled = net.add("Mul", [net.conv(summed, "last", channels, 1), net.constant("strength", 0.05)], "scaled")
    return net.model(scaled, **changes)


def windows(n: int = 3, size: tuple[int, int] = (24, 40), seed: int = 1) -> list[Mapping[str, np.ndarray]]:
    """Return what a network is fed: noise between dark grey and light grey."""
    random = np.random.default_rng(seed)
    return [{WINDOW: random.integers(20, 236, (1, N_FRAMES, *size), dtype=np.uint8)} for _ in range(n)]
