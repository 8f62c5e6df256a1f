"""Plain convolutions in a row, in floating point or with Q and DQ nodes around each: what INT8 can gain at most."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, LAYERS, SLOPE = 64, 8, 0.1
SCALE = 4.0 / 127  # of activations whose variance is one
OPSET = 20


def conv_chain(height: int, width: int, quantised: bool) -> onnx.ModelProto:
    """Return eight 3x3 convolutions of 64 channels, each with its LeakyReLU, over float32 [1, 64, H, W]."""
    random = np.random.default_rng(0)
    tensors = [_tensor("scale", np.float32(SCALE)), _tensor("zero", np.int8(0))]
    nodes = []
    for number in range(LAYERS):
        weight = random.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32) * (2 / (9 * CHANNELS)) ** 0.5
        nodes += _layer(f"x{number}", f"x{number + 1}", weight, tensors, quantised)
    shape = [1, CHANNELS, height, width]
    ends = [helper.make_tensor_value_info(f"x{number}", TensorProto.FLOAT, shape) for number in (0, LAYERS)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def _layer(
    source: str,
    target: str,
    weight: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    tensors: list[onnx.TensorProto],
    quantised: bool,
) -> list[onnx.NodeProto]:
    x, w = source, f"{source}.weight"
    pairs = []
    if quantised:
        scale = np.abs(weight).max((1, 2, 3)) / np.float32(127)
        levels = np.round(weight / scale[:, None, None, None]).astype(np.int8)
        tensors += [_tensor(w, levels), _tensor(f"{w}.scale", scale), _tensor(f"{w}.zero", np.zeros(CHANNELS, np.int8))]
        pairs = [
            helper.make_node("QuantizeLinear", [x, "scale", "zero"], [f"{x}.q"]),
            helper.make_node("DequantizeLinear", [f"{x}.q", "scale", "zero"], [f"{x}.dq"]),
            helper.make_node("DequantizeLinear", [w, f"{w}.scale", f"{w}.zero"], [f"{w}.dq"], axis=0),
        ]
        x, w = f"{x}.dq", f"{w}.dq"
    else:
        tensors.append(_tensor(w, weight))
    conv = helper.make_node("Conv", [x, w], [f"{target}.sum"], pads=[1] * 4)
    return [*pairs, conv, helper.make_node("LeakyRelu", [f"{target}.sum"], [target], alpha=SLOPE)]


def _tensor(name: str, value: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)
