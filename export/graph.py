"""From a torch network to a float ONNX graph with standard DeformConv nodes."""

import contextlib
import io
import logging
import warnings
from typing import Any

import onnx
import torch
from onnxscript import opset19
from torch import nn

import cvqe.layers.deform_conv  # noqa: F401  (defines torch.ops.cvqe.deform_conv2d)
from cvqe.pixels import FLOAT_LUMA, FLOAT_WINDOW

OPSET = 20  # DeformConv needs 19; every backend of ours reads 20
MAX_SIDE_PX = 16384
EXAMPLE_SIZE = (40, 56)  # any size does: height and width stay free


def float_graph(network: nn.Module) -> onnx.ModelProto:
    """Export a network as FLOAT_WINDOW [1, 2R+1, H, W] -> FLOAT_LUMA [1, 1, H, W], both float32, H and W free.

    The initialisers keep the names of the state dict, a bias of zeros stays a bias.
    """
    height = torch.export.Dim("height", min=2, max=MAX_SIDE_PX)
    width = torch.export.Dim("width", min=2, max=MAX_SIDE_PX)
    window = torch.rand(1, 2 * int(network.radius) + 1, *EXAMPLE_SIZE)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network.eval(),
            (window,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[FLOAT_WINDOW],
            output_names=[FLOAT_LUMA],
            dynamic_shapes=({2: height, 3: width},),
            custom_translation_table={torch.ops.cvqe.deform_conv2d.default: deform_conv_node},
            optimize=False,  # it drops biases of zeros and renames weights
            verbose=False,
        )
    assert program is not None
    return tidy(program.model_proto)


def deform_conv_node(x: Any, offset: Any, mask: Any, weight: Any, bias: Any) -> Any:
    """Write our torch op as ONNX DeformConv: "same" padding, one offset group for each K*K of the mask's channels."""
    taps = weight.shape[2] * weight.shape[3]
    pad = weight.shape[2] // 2
    return opset19.DeformConv(
        x,
        weight,
        offset,
        bias,
        mask,
        kernel_shape=[weight.shape[2], weight.shape[3]],
        offset_group=mask.shape[1] // taps,
        pads=[pad, pad, pad, pad],
    )


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter leaves for debugging: traces, paths of this machine, inferred shapes."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
    for value in [*model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    return model


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep the exporter's progress, and its notes on libraries we do not use, off the user's screen."""
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")  # names torchvision as missing
    level = registry.level
    registry.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        registry.setLevel(level)
