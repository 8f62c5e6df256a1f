"""What authors let torch compute with on a GPU: TF32 for float32 or not, torchvision's deformable convolution."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from cvqe.layers import deform_block


@contextmanager
def tf32(is_allowed: bool) -> Iterator[None]:
    """Let convolutions and products of float32 matrices round to TF32, or not, while inside."""
    convolution, product = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolution.allow_tf32, product.allow_tf32
    convolution.allow_tf32 = product.allow_tf32 = is_allowed
    try:
        yield
    finally:
        convolution.allow_tf32, product.allow_tf32 = before


@contextmanager
def torchvisions_operation() -> Iterator[None]:
    """Let every deformable block compute with torchvision.ops.deform_conv2d while inside.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
    """
    from torchvision.ops import deform_conv2d

    def by_torchvision(x: Tensor, packed: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        n_mask = packed.shape[1] // 3
        offset, mask = packed.split((2 * n_mask, n_mask), 1)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        y: Tensor = deform_conv2d(x, offset, weight, bias, padding=padding, mask=mask.sigmoid())
        return y

    ours: Any = deform_block.packed_deform_conv2d
    deform_block.packed_deform_conv2d = by_torchvision
    try:
        yield
    finally:
        deform_block.packed_deform_conv2d = ours
