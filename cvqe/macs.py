"""Multiply-accumulates of one forward pass, counted exactly and without computing anything."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

import cvqe.layers.deform_conv  # noqa: F401  defines the op counted here
from cvqe.models import hidden_channels, takes_guide, takes_qp


def count_macs(model: nn.Module, height: int, width: int) -> int:
    """Return the multiply-accumulates of one window of one frame size; the model may be on any device.

    Counted: convolutions, transposed convolutions (input positions times weights: `thop` says four times that at
    stride 2), matrix products, and a deformable convolution's weights (`thop` leaves them out). Taps on the padding
    count, as in the papers. Not counted: biases, activations, elementwise products and sums, bilinear sampling (all
    that a warp is).
    """
    return macs_by(model, height, width, {torch.ops.cvqe.deform_conv2d: deform_conv_flops})


def macs_by(model: nn.Module, height: int, width: int, formulas: Mapping[Any, Callable[..., int]]) -> int:
    """Return the multiply-accumulates of one window of one frame size, where some operations have formulas of ours.

    Args:
        model: on any device.
        height: of a frame, px; so is `width`.
        formulas: by operation, the floating point operations of one call, twice its multiply-accumulates, from the
            shapes of its inputs and `out_shape`; torch's own for all other operations.
    """
    tensors = chain(model.named_parameters(), model.named_buffers())
    on_meta = {name: tensor.to("meta") for name, tensor in tensors}
    window = torch.empty(1, 2 * model.radius + 1, height, width, device="meta")
    inputs = [window]
    if takes_qp(model):
        inputs.append(torch.empty(1, device="meta"))
    if takes_guide(model):
        inputs.append(torch.empty(1, 1, height, width, device="meta"))
    if hidden_channels(model):
        inputs.append(torch.empty(1, hidden_channels(model), height, width, device="meta"))
    with FlopCounterMode(display=False, custom_mapping=dict(formulas)) as counter, torch.no_grad():
        functional_call(model, on_meta, tuple(inputs))
    flops: int = counter.get_total_flops()
    return flops // 2


def deform_conv_flops(x: Any, offset: Any, mask: Any, weight: Any, bias: Any, *, out_shape: Any, **_: Any) -> int:
    """Return the floating point operations, twice the multiply-accumulates, of one call with these shapes."""
    positions: int = out_shape[0] * out_shape[2] * out_shape[3]
    return 2 * positions * int(torch.Size(weight).numel())
