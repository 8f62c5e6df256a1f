"""A network in TGAFNet's manner: pixels in, pixels out, frames aligned in one step and features in a second."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from plugins.deform_conv import tensorrt_plugin
from plugins.deform_conv.callback_errors import take_error
from plugins.deform_conv.compiled_kernel import CompiledKernel, EntryPoint
from plugins.deform_conv.problem import Problem
from plugins.deform_conv.tensorrt_plugin import register
from plugins.tensorrt_modules import load_tensorrt
from tests.plugins.deform_conv.node_models import FREE, build_engine

pytest.importorskip("tensorrt_rtx")
N_FRAMES, N_FEATURES = 7, 16
FRAMES = Problem(7, N_FEATURES, (3, 3), pads=(1, 1, 1, 1), offset_group=7, mask="values")
FEATURES = Problem(N_FEATURES, N_FEATURES, (1, 1), offset_group=N_FEATURES, mask="values")


class Graph:
    """Nodes and weights in the order they are added; every call returns the name of what it computes."""

    def __init__(self):
        self.nodes, self.stored, self.rng = [], [], np.random.default_rng(0)

    def add(self, operation, *inputs, n_outputs=1, **attributes):
        names = [f"{operation}_{len(self.nodes)}_{index}" for index in range(n_outputs)]
        self.nodes.append(helper.make_node(operation, inputs, names, name=f"/{names[0]}", **attributes))
        return names[0] if n_outputs == 1 else names

    def store(self, value, dtype=np.float16):
        self.stored.append(numpy_helper.from_array(np.asarray(value, dtype), f"stored_{len(self.stored)}"))
        return self.stored[-1].name

    def conv(self, x, c_in, c_out, side):
        weight = self.store(self.rng.normal(size=(c_out, c_in, side, side)) / (side * np.sqrt(c_in)))
        return self.add("Conv", x, weight, self.store(np.zeros(c_out)), pads=[side // 2] * 4)

    def aligned(self, x, source, c_source, problem):
        """Predict offsets and mask from `source`, and sample x there."""
        n_taps = problem.offset_group * problem.n_taps
        both = self.conv(source, c_source, 3 * n_taps, 3)
        offset, logits = self.add("Split", both, self.store([2 * n_taps, n_taps], np.int64), n_outputs=2, axis=1)
        side = problem.kernel[0]
        weight = self.store(self.rng.normal(size=(problem.c_out, problem.channels, side, side)) / problem.channels)
        bias = self.store(np.zeros(problem.c_out))
        inputs = (x, weight, offset, bias, self.add("Sigmoid", logits))
        return self.add("DeformConv", *inputs, pads=problem.pads, offset_group=problem.offset_group)


def network(size):
    graph = Graph()
    window = graph.add("Div", graph.add("Cast", "window", to=TensorProto.FLOAT16), graph.store(255.0))
    features = graph.conv(window, N_FRAMES, N_FEATURES, 3)
    features = graph.add("Relu", graph.aligned(window, features, N_FEATURES, FRAMES))
    features = graph.aligned(features, features, N_FEATURES, FEATURES)
    pixels = graph.add("Mul", graph.conv(features, N_FEATURES, 1, 3), graph.store(255.0))
    pixels = graph.add("Clip", graph.add("Round", pixels), graph.store(0.0), graph.store(255.0))
    graph.nodes.append(helper.make_node("Cast", [pixels], ["enhanced"], to=TensorProto.UINT8))
    values = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [1, n_planes, *size])
        for name, n_planes in (("window", N_FRAMES), ("enhanced", 1))
    ]
    onnx_graph = helper.make_graph(graph.nodes, "network", values[:1], values[1:], graph.stored)
    return helper.make_model(onnx_graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


@pytest.mark.parametrize("size", [(720, 1280), FREE])
def test_a_network_becomes_an_engine(size, monkeypatch):
    trt, compiled = load_tensorrt("tensorrt-rtx"), []

    def stand_in(problem, compute_capability):
        """Give each problem a text of its own: real ones take seconds, and TensorRT does not look into them."""
        ptx = f"// {problem}".encode()
        entry = EntryPoint("none", 0, 0)
        compiled.append(CompiledKernel(problem, compute_capability, "sm_80", ptx, entry, entry, 4, 128, 1))
        return compiled[-1]

    monkeypatch.setattr(tensorrt_plugin, "_compiled", stand_in)
    register(trt, (89,))
    profile = {"window": [(1, N_FRAMES, *side) for side in ((64, 64), (720, 1280), (1088, 1920))]}
    engine = build_engine(trt, network(size).SerializeToString(), (89,), profile if size == FREE else None)
    assert take_error() is None
    assert {kernel.problem for kernel in compiled} == {FRAMES, FEATURES}
    assert all(kernel.to_bytes() in engine for kernel in compiled)
