"""From a torch network to a float ONNX graph with standard DeformConv nodes."""

import contextlib
import io
import logging
import warnings
from typing import Any

import onnx
import torch
from torch import nn

from cvqe.manifest import HIDDEN, HIDDEN_NEXT, QP
from cvqe.models import hidden_channels, takes_guide, takes_qp
from cvqe.pixels import FLOAT_GUIDE, FLOAT_LUMA, FLOAT_WINDOW
from export.folding import fold_constants
from export.sequences import sequences_to_splits
from export.translations import translations

OPSET = 20  # DeformConv needs 19; every backend of ours reads 20
MAX_SIDE_PX = 16384
EXAMPLE_SIZE, EXAMPLE_QP = (40, 56), 32.0  # any do: height, width and QP stay free


def float_graph(network: nn.Module) -> onnx.ModelProto:
    """Export a network as FLOAT_WINDOW [1, 2R+1, H, W] -> FLOAT_LUMA [1, 1, H, W], both float32, H and W free.

    One that takes a QP gets an input QP, float32 [1]; one that takes a guide FLOAT_GUIDE [1, 1, H, W], float32, H and W
    the same. A recurrent one gets HIDDEN [1, C, H, W] and gives HIDDEN_NEXT, likewise. The initialisers keep the names
    of the state dict, a bias of zeros stays a bias.
    """
    height = torch.export.Dim("height", min=2, max=MAX_SIDE_PX)
    width = torch.export.Dim("width", min=2, max=MAX_SIDE_PX)
    frame_size = {2: height, 3: width}
    inputs = [(FLOAT_WINDOW, torch.rand(1, 2 * int(network.radius) + 1, *EXAMPLE_SIZE), frame_size)]
    if takes_qp(network):
        inputs.append((QP, torch.tensor([EXAMPLE_QP]), {}))
    if takes_guide(network):
        inputs.append((FLOAT_GUIDE, torch.rand(1, 1, *EXAMPLE_SIZE), frame_size))
    channels = hidden_channels(network)
    if channels:
        inputs.append((HIDDEN, torch.rand(1, channels, *EXAMPLE_SIZE), frame_size))
    names, examples, dynamic_shapes = zip(*inputs, strict=True)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network.eval(),
            examples,
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=[FLOAT_LUMA, *[HIDDEN_NEXT] * bool(channels)],
            dynamic_shapes=dynamic_shapes,
            custom_translation_table=translations(),
            optimize=False,  # it drops biases of zeros and renames weights
            verbose=False,
        )
    assert program is not None
    model = tidy(program.model_proto)
    sequences_to_splits(model.graph)
    fold_constants(model.graph)
    return model


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
