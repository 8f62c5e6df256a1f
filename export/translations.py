"""How torch's operations are written as ONNX nodes, where the exporter has no way or one that TensorRT can't read."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike
from onnx import numpy_helper
from onnxscript import opset19

import cvqe.layers.deform_conv  # (defines torch.ops.cvqe.deform_conv2d)
import cvqe.layers.warp  # noqa: F401  (defines torch.ops.cvqe.warp)


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return a custom_translation_table for torch.onnx.export."""
    return {
        torch.ops.cvqe.deform_conv2d.default: deform_conv_node,
        torch.ops.cvqe.warp.default: warp_node,
        torch.ops.aten.conv2d.default: conv_node,
        torch.ops.aten.eye.default: eye_node,
        torch.ops.aten.split.Tensor: split_node,
        torch.ops.aten.split_with_sizes.default: split_node,
    }


def deform_conv_node(x: Any, offset: Any, mask: Any | None, weight: Any, bias: Any) -> Any:
    """Write our torch op as ONNX DeformConv: "same" padding, one offset group for each 2*K*K of the offset's channels.

    A mask that is None is left away, as the last of the standard's optional inputs.
    """
    taps = weight.shape[2] * weight.shape[3]
    pad = weight.shape[2] // 2
    return opset19.DeformConv(
        x,
        weight,
        offset,
        bias,
        *(() if mask is None else (mask,)),
        kernel_shape=[weight.shape[2], weight.shape[3]],
        offset_group=offset.shape[1] // (2 * taps),
        pads=[pad, pad, pad, pad],
    )


def warp_node(planes: Any, displacement: Any) -> Any:
    """Write our warp as ONNX DeformConv: one tap, no mask, and constant weights, the identity between the planes."""
    groups = planes.shape[1]
    weight = np.eye(groups, dtype=planes.dtype.numpy())[:, :, None, None]
    return opset19.DeformConv(
        planes,
        constant(weight, weight.dtype),
        displacement,
        constant(np.zeros(groups), weight.dtype),
        kernel_shape=[1, 1],
        offset_group=groups,
        pads=[0, 0, 0, 0],
    )


def conv_node(
    x: Any,
    weight: Any,
    bias: Any | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Any:
    """Write a convolution; one without bias stays without, where the exporter computes zeros at every inference."""
    return opset19.Conv(
        x,
        weight,
        *(() if bias is None else (bias,)),
        strides=list(stride),
        pads=[*padding, *padding],
        dilations=list(dilation),
        group=groups,
    )


def eye_node(n: int, dtype: Any = None, **_: Any) -> Any:
    """Write the identity matrix as a constant; the exporter counts in uint8, which TensorRT refuses."""
    return constant(np.eye(n), np.float32 if dtype is None else dtype.numpy())


def split_node(x: Any, sizes: Any, dim: int = 0) -> Any:
    """Write torch's split or chunk as a sequence whose part sizes are all told; a Split can't be written here yet."""
    if isinstance(sizes, int):
        starts = range(0, x.shape[dim], sizes)
        sizes = [min(sizes, x.shape[dim] - start) for start in starts]
    return opset19.SplitToSequence(x, constant(sizes, np.int64), axis=dim)


def constant(values: Any, dtype: DTypeLike) -> Any:
    """Write a constant tensor."""
    return opset19.Constant(value=numpy_helper.from_array(np.array(values, dtype)))
