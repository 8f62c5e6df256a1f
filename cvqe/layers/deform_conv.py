"""Modulated deformable convolution as a torch op of our own, `torch.ops.cvqe.deform_conv2d`.

    offset (dy, dx) -> grid -> samples of every (sample, group) -> times mask -> columns -> product with the weights

The op is opaque: the exporter writes one standard DeformConv node for it, `torch.compile` leaves it whole, and
`plugins` registers a CUDA kernel. What is here runs on every device torch has, in strips that bound the memory.
"""

from typing import Any

import torch
from torch import Tensor, nn

from cvqe.errors import ShapeError
from cvqe.layers.sampling import samples_at, samples_backward, sampling_grid, strips


def deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor) -> Tensor:
    """Sample every kernel tap where the network asks, then convolve with stride 1 and "same" padding.

        y(p) = b + sum_k  w_k * x(p + p_k + d_k) * m_k        DCNv2, Zhu et al., CVPR 2019, eq. (1)

    Float types may be mixed. Coordinates, samples and sums are float32 at least (float64 for a float64 x), also where
    autocast asks for bfloat16: there a coordinate of 300 would move in steps of 2 px. In float32 a coordinate is off by
    up to 1.6e-4 px at a width of 1300, 2.0e-4 at 1920.

    Args:
        x: features, [N, C, H, W], any float type.
        offset: d_k in pixels as (dy, dx) pairs, [N, 2*G*K, H, W]; K = kh*kw taps, G groups of C / G channels. However
            far, it reads 0 outside the picture; NaN makes that pixel of y NaN on the CPU.
        mask: m_k, usually in [0, 1] with the sigmoid already applied, [N, G*K, H, W]; None is 1 everywhere.
        weight: [C_out, C, kh, kw], odd sizes.
        bias: [C_out].

    Returns:
        [N, C_out, H, W] in the type of x. Corners outside the picture read as 0.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    y: Tensor = torch.ops.cvqe.deform_conv2d(x, offset, mask, weight, bias)
    return y


def packed_deform_conv2d(x: Tensor, packed: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve as `deform_conv2d` does, where offsets and mask come as the convolution that predicts them wrote them.

    Where no gradient is wanted, a kernel may read `packed` in place and compute the sigmoid itself:
    `torch.ops.cvqe.packed_deform_conv2d` is where it registers.

    Args:
        x: features, [N, C, H, W].
        packed: [N, 3*G*K, H, W]: 2*G*K channels of offsets, then G*K of the mask before its sigmoid.
        weight: [C_out, C, kh, kw], odd sizes.
        bias: [C_out].

    Returns:
        [N, C_out, H, W] in the type of x.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    if x.is_cuda and not torch.is_grad_enabled():
        y: Tensor = torch.ops.cvqe.packed_deform_conv2d(x, packed, weight, bias)
        return y
    return _unpacked(x, packed, weight, bias)


class DeformConv2d(nn.Module):
    """The weights of one deformable convolution, named as those of `nn.Conv2d`."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights as `nn.Conv2d` does; the bias starts at 0."""
        bound = self.weight[0].numel() ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor | None) -> Tensor:
        """Convolve x [N, C, H, W] at the offsets [N, 2*G*K, H, W], modulated by mask [N, G*K, H, W] if there is one."""
        return deform_conv2d(x, offset, mask, self.weight, self.bias)


def offset_groups(x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor) -> int:
    """Return G, the number of offset groups; raise ShapeError where the shapes do not fit together."""
    tensors = {"x": x, "offset": offset, "mask": mask, "weight": weight}
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    shapes = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in given.items())
    if not all(tensor.ndim == 4 for tensor in given.values()):
        raise ShapeError(f"deform_conv2d needs four dimensions everywhere, got {shapes}.")
    c_out, channels, kernel_height, kernel_width = weight.shape
    if kernel_height % 2 == 0 or kernel_width % 2 == 0:
        raise ShapeError(f'"same" padding needs an odd kernel, got {kernel_height}x{kernel_width}.')
    if channels != x.shape[1] or list(bias.shape) != [c_out]:
        raise ShapeError(
            f"weight {list(weight.shape)} and bias {list(bias.shape)} want {channels} channels in and {c_out} out, "
            f"but x has {x.shape[1]}."
        )
    n_taps = kernel_height * kernel_width
    groups: int = offset.shape[1] // (2 * n_taps)
    if groups == 0 or offset.shape[1] != groups * 2 * n_taps or channels % groups:
        raise ShapeError(
            f"offset has {offset.shape[1]} channels; a {kernel_height}x{kernel_width} kernel needs G * {2 * n_taps}, "
            f"where G divides the {channels} channels of x."
        )
    if mask is not None and mask.shape[1] != groups * n_taps:
        raise ShapeError(
            f"offset and mask disagree: {offset.shape[1]} offset channels are {groups} groups of {n_taps} taps, "
            f"which needs {groups * n_taps} mask channels, got {mask.shape[1]}."
        )
    n_height_width = [x.shape[0], *x.shape[2:]]
    like_x = [tensor for tensor in (offset, mask) if tensor is not None]
    if any([tensor.shape[0], *tensor.shape[2:]] != n_height_width for tensor in like_x):
        raise ShapeError(f"x, offset and mask need the same N, H and W, got {shapes}.")
    return groups


def _unpacked(x: Tensor, packed: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    n_mask = packed.shape[1] // 3
    offset, mask = packed.split((packed.shape[1] - n_mask, n_mask), 1)
    return deform_conv2d(x, offset, mask.sigmoid(), weight, bias)


def computed_by_torch(x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute `deform_conv2d` by torch's own operations, on any device and in any float type."""
    groups = offset_groups(x, offset, mask, weight, bias)
    dtype = torch.promote_types(x.dtype, torch.float32)
    pictures, taps, start = x.to(dtype), weight.to(dtype).flatten(1), bias.to(dtype)[:, None]
    y = _forward_fake(x, offset, mask, weight, bias)
    with torch.autocast(x.device.type, enabled=False):
        for n, rows in strips(offset, taps.shape[1]):
            grid = _grid(offset[n, :, rows], rows.start, x, weight, dtype)
            columns = samples_at(pictures[n], grid)
            if mask is not None:
                columns.mul_(_per_group(mask[n, :, rows], groups))
            y_strip = y[n, :, rows]
            product = torch.baddbmm(start, taps.expand(len(y_strip), -1, -1), _columns(columns))
            y_strip.copy_(product.view(y_strip.shape))
    return y


def _forward_fake(x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor) -> Tensor:
    offset_groups(x, offset, mask, weight, bias)
    return x.new_empty((x.shape[0], weight.shape[0], x.shape[2], x.shape[3]))


def _packed_fake(x: Tensor, packed: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    n_mask = packed.shape[1] // 3
    return _forward_fake(x, packed[:, : 2 * n_mask], packed[:, 2 * n_mask :], weight, bias)


def _backward(
    grad_y: Tensor, x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, needs_grad_x: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    groups = offset.shape[1] // (2 * weight[0, 0].numel())
    dtype = torch.promote_types(x.dtype, torch.float32)
    pictures, taps = x.to(dtype), weight.to(dtype).flatten(1)
    grad_pictures = x.new_zeros(x.shape if needs_grad_x else 0, dtype=dtype)
    grad_taps = torch.zeros_like(taps)
    grad_offset, grad_mask = offset.new_empty(offset.shape), _empty_grad_mask(offset, mask)
    with torch.autocast(x.device.type, enabled=False):
        for n, rows in strips(offset, taps.shape[1]):
            # sampled again: kept from the forward pass, the samples would be the largest tensor of a network
            grid = _grid(offset[n, :, rows], rows.start, x, weight, dtype)
            samples = samples_at(pictures[n], grid)
            grad_y_strip = grad_y[n, :, rows].to(dtype).flatten(2)
            grad_columns = (taps.t() @ grad_y_strip).view(samples.shape)
            if mask is not None:
                _per_group(grad_mask[n, :, rows], groups).copy_((grad_columns * samples).sum(2, keepdim=True))
                for factors in (samples, grad_columns):
                    factors.mul_(_per_group(mask[n, :, rows], groups))
            grad_taps += (grad_y_strip @ _columns(samples).mT).sum(0)
            grad_strip = samples_backward(grad_columns, pictures[n], grid, grad_offset[n, :, rows], needs_grad_x)
            if grad_strip is not None:
                grad_pictures[n] += grad_strip
    return grad_pictures.to(x.dtype), grad_offset, grad_mask, grad_taps.view(weight.shape).to(weight.dtype)


def _backward_fake(
    grad_y: Tensor, x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, needs_grad_x: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grad_x = x.new_empty(x.shape if needs_grad_x else 0)
    return grad_x, offset.new_empty(offset.shape), _empty_grad_mask(offset, mask), weight.new_empty(weight.shape)


def _empty_grad_mask(offset: Tensor, mask: Tensor | None) -> Tensor:
    # an operator can't return None in a tuple of tensors
    return offset.new_empty(0) if mask is None else mask.new_empty(mask.shape)


def _grid(offset: Tensor, top: int, x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    (height, width), (kernel_height, kernel_width) = x.shape[2:], weight.shape[2:]
    return sampling_grid(offset, top, (height, width), (kernel_height, kernel_width), dtype)


def _per_group(mask: Tensor, groups: int) -> Tensor:
    return mask.unflatten(1, (groups, 1, -1))  # [n, G, 1, K, rows, W]


def _columns(samples: Tensor) -> Tensor:
    return samples.flatten(1, 3).flatten(2)  # [n, C*K, rows*W]


def _save_for_backward(ctx: Any, inputs: tuple[Tensor | None, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
    x, offset, mask, weight, bias = ctx.saved_tensors
    needs_grad_x = ctx.needs_input_grad[0]
    grad_x, grad_offset, grad_mask, grad_weight = torch.ops.cvqe.deform_conv2d_backward(
        grad_y, x, offset, mask, weight, needs_grad_x
    )
    grad_bias = grad_y.sum((0, 2, 3), dtype=bias.dtype)
    x_given, mask_given = grad_x if needs_grad_x else None, None if mask is None else grad_mask
    return x_given, grad_offset, mask_given, grad_weight, grad_bias


_op = torch.library.custom_op("cvqe::deform_conv2d", computed_by_torch, mutates_args=())
_op.register_fake(_forward_fake)
_op.register_autograd(_gradients, setup_context=_save_for_backward)
_backward_op = torch.library.custom_op("cvqe::deform_conv2d_backward", _backward, mutates_args=())
_backward_op.register_fake(_backward_fake)
_packed_op = torch.library.custom_op("cvqe::packed_deform_conv2d", _unpacked, mutates_args=())
_packed_op.register_fake(_packed_fake)
