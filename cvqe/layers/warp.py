"""Every pixel of a plane read from another place, as a torch op of our own, `torch.ops.cvqe.warp`.

It is the deformable convolution whose kernel is one tap of weight 1, and is exported as one: a standard DeformConv node
with constant weights. As an op of its own it multiplies nothing, and takes torch two thirds of the time.
"""

from typing import Any

import torch
from torch import Tensor

from cvqe.errors import ShapeError
from cvqe.layers.sampling import samples_at, samples_backward, sampling_grid, strips

ONE_TAP = (1, 1)


def warp(planes: Tensor, displacement: Tensor) -> Tensor:
    """Read each plane where its displacement says, bilinearly; differentiable in both arguments.

        y_g(p) = x_g(p + d_g(p))

    Float types may be mixed. Coordinates and sums are float32 at least, also where autocast asks for bfloat16.

    Args:
        planes: [N, G, H, W], any float type and value range.
        displacement: d in pixels as (dy, dx) pairs, [N, 2*G, H, W]: dy of plane 0, dx of plane 0, dy of plane 1, ...
            However far, it reads 0 outside the picture; NaN makes that pixel NaN on the CPU.

    Returns:
        [N, G, H, W] in the type of planes. Corners outside the picture read as 0, so a plane fades out over its edge.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    warped: Tensor = torch.ops.cvqe.warp(planes, displacement)
    return warped


def check_shapes(planes: Tensor, displacement: Tensor) -> None:
    """Raise ShapeError where the two shapes do not fit together."""
    n, groups, *size = planes.shape if planes.ndim == 4 else (0, 0, 0, 0)
    if planes.ndim != 4 or list(displacement.shape) != [n, 2 * groups, *size]:
        raise ShapeError(
            f"warp needs planes [N, G, H, W] and a displacement [N, 2*G, H, W], "
            f"got {list(planes.shape)} and {list(displacement.shape)}."
        )


def computed_by_torch(planes: Tensor, displacement: Tensor) -> Tensor:
    """Compute `warp` by torch's own operations, on any device and in any float type."""
    warped = _forward_fake(planes, displacement)
    wide = planes.to(torch.promote_types(planes.dtype, torch.float32))
    with torch.autocast(planes.device.type, enabled=False):
        for n, rows in strips(displacement, planes.shape[1]):
            strip = warped[n, :, rows]
            strip.copy_(samples_at(wide[n], _grid(displacement, n, rows, wide)).view(strip.shape))
    return warped


def _forward_fake(planes: Tensor, displacement: Tensor) -> Tensor:
    check_shapes(planes, displacement)
    return planes.new_empty(planes.shape)


def _backward(
    grad_warped: Tensor, planes: Tensor, displacement: Tensor, needs_grad_planes: bool
) -> tuple[Tensor, Tensor]:
    wide = planes.to(torch.promote_types(planes.dtype, torch.float32))
    grad_planes = wide.new_zeros(wide.shape if needs_grad_planes else 0)
    grad_displacement = displacement.new_empty(displacement.shape)
    with torch.autocast(planes.device.type, enabled=False):
        for n, rows in strips(displacement, planes.shape[1]):
            grad_samples = grad_warped[n, :, rows].to(wide.dtype)[:, :, None, None]  # [n, G, 1, 1, rows, W]
            grid = _grid(displacement, n, rows, wide)
            grad_strip = samples_backward(grad_samples, wide[n], grid, grad_displacement[n, :, rows], needs_grad_planes)
            if grad_strip is not None:
                grad_planes[n] += grad_strip
    return grad_planes.to(planes.dtype), grad_displacement


def _backward_fake(
    grad_warped: Tensor, planes: Tensor, displacement: Tensor, needs_grad_planes: bool
) -> tuple[Tensor, Tensor]:
    return planes.new_empty(planes.shape if needs_grad_planes else 0), displacement.new_empty(displacement.shape)


def _grid(displacement: Tensor, n: slice, rows: slice, wide: Tensor) -> Tensor:
    height, width = wide.shape[2:]
    return sampling_grid(displacement[n, :, rows], rows.start, (height, width), ONE_TAP, wide.dtype)


def _save_for_backward(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, grad_warped: Tensor) -> tuple[Tensor | None, Tensor]:
    planes, displacement = ctx.saved_tensors
    needs_grad_planes = ctx.needs_input_grad[0]
    grad_planes, grad_displacement = torch.ops.cvqe.warp_backward(grad_warped, planes, displacement, needs_grad_planes)
    return grad_planes if needs_grad_planes else None, grad_displacement


_op = torch.library.custom_op("cvqe::warp", computed_by_torch, mutates_args=())
_op.register_fake(_forward_fake)
_op.register_autograd(_gradients, setup_context=_save_for_backward)
_backward_op = torch.library.custom_op("cvqe::warp_backward", _backward, mutates_args=())
_backward_op.register_fake(_backward_fake)
