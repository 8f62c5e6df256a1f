"""Multiply-accumulates as the library `thop` counts them, which is what papers on these networks print as FLOPs."""

from math import prod
from typing import Any

import torch
from torch import nn

from cvqe.macs import macs_by


def thop_macs(model: nn.Module, height: int, width: int) -> int:
    """Return outputs times weights of every convolution for one window of one frame size; the model is on any device.

    So a transposed convolution of stride 2 counts four times what it computes, and deformable convolutions and products
    of features with each other count nothing. What a network computes with parts of a layer's weights is counted here,
    though `thop`, which sees whole layers only, would miss it.
    """
    uncounted = (torch.ops.cvqe.deform_conv2d, torch.ops.aten.bmm, torch.ops.aten.baddbmm)
    formulas = {torch.ops.aten.convolution: _conv_flops, **dict.fromkeys(uncounted, _nothing)}
    return macs_by(model, height, width, formulas)


def _conv_flops(x: Any, weight: Any, *options: Any, out_shape: Any, **_: Any) -> int:
    groups: int = options[-1]
    flops: int = 2 * prod(out_shape) * (x[1] // groups) * prod(weight[2:])
    return flops


def _nothing(*_: Any, **__: Any) -> int:
    return 0
