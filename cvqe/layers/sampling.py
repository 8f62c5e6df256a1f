"""Bilinear samples of a batch at displaced pixels, and their gradients, in strips that bound the memory.

    offset (dy, dx) -> grid -> samples of every (sample, group)

Coordinates are absolute and at least float32, whatever the type of the tensors around them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# 16 MB of coordinates and samples; strips of 2**16 took up to 5 times as long, of 2**24 a tenth longer
STRIP_FLOATS = 2**22
# in units of the half picture: past it every corner is outside at any size, and a pixel number still fits an integer
FAR_OUTSIDE = 4.0
BILINEAR, ZEROS = 0, 0  # grid_sampler's enums


def strips(offset: Tensor, n_samples: int) -> Iterator[tuple[slice, slice]]:
    """Cut a batch into runs of pictures, or a large picture into runs of rows; yields both as slices.

    Args:
        offset: [N, 2*G*K, H, W].
        n_samples: C*K, the samples of one pixel.
    """
    n_pictures, n_offsets, height, width = offset.shape
    floats_per_row = width * (n_offsets + n_samples)
    n_step = max(1, STRIP_FLOATS // (floats_per_row * height))
    row_step = min(height, max(1, STRIP_FLOATS // floats_per_row))
    for first in range(0, n_pictures, n_step):
        for top in range(0, height, row_step):
            yield slice(first, first + n_step), slice(top, top + row_step)


def sampling_grid(
    offset: Tensor, top: int, size: tuple[int, int], kernel: tuple[int, int], dtype: torch.dtype
) -> Tensor:
    """Return where the rows from top on are sampled, [n, G, 2, K, rows, W]: x and y, the picture's edges at -1 and 1.

    Edges, not the centres of the outer pixels: there the scale 2 / (W - 1) is infinite for a picture of one column.

    Args:
        offset: those rows of (dy, dx), [n, 2*G*K, rows, W].
        top: the number of the first row.
        size: height and width of the picture.
        kernel: height and width of the kernel, K taps around the pixel.
        dtype: of the coordinates.
    """
    (height, width), (kernel_height, kernel_width) = size, kernel
    n, n_offsets, rows, _ = offset.shape
    groups = n_offsets // (2 * kernel_height * kernel_width)
    dy_dx = offset.unflatten(1, (groups, -1, 2))
    index = torch.arange(max(height, width, kernel_height, kernel_width), device=offset.device)
    # whole numbers up to the one division, so that a pixel's own place is rounded once
    y = 2 * (index[:kernel_height, None] - kernel_height // 2 + index[top : top + rows]) + 1 - height
    x = 2 * (index[:kernel_width, None] - kernel_width // 2 + index[:width]) + 1 - width
    y = (y.to(dtype) / height).repeat_interleave(kernel_width, 0)[:, :, None]  # [K, rows, 1]
    x = (x.to(dtype) / width).repeat(kernel_height, 1)[:, None]  # [K, 1, W]
    grid = torch.empty((n, groups, 2, len(y), rows, width), dtype=dtype, device=offset.device)
    torch.add(x, dy_dx[:, :, :, 1], alpha=2 / width, out=grid[:, :, 0])
    torch.add(y, dy_dx[:, :, :, 0], alpha=2 / height, out=grid[:, :, 1])
    return grid.clamp_(-FAR_OUTSIDE, FAR_OUTSIDE)


def samples_at(pictures: Tensor, grid: Tensor) -> Tensor:
    """Read the pictures [n, C, H, W] between their pixels; returns [n, G, C/G, K, rows, W]."""
    n, groups, _, n_taps, rows, width = grid.shape
    samples: Tensor = torch.ops.aten.grid_sampler_2d(*_as_batch(pictures, grid), BILINEAR, ZEROS, False)
    return samples.reshape(n, groups, -1, n_taps, rows, width)


def samples_backward(
    grad: Tensor, pictures: Tensor, grid: Tensor, grad_offset: Tensor, needs_pictures: bool
) -> Tensor | None:
    """Fill the gradient of the offset, [n, 2*G*K, rows, W]; return that of the pictures if it is needed."""
    n, groups, _, n_taps, rows, width = grid.shape
    grad_pictures, grad_grid = torch.ops.aten.grid_sampler_2d_backward(
        grad.flatten(3, 4).flatten(0, 1), *_as_batch(pictures, grid), BILINEAR, ZEROS, False, [needs_pictures, True]
    )
    grad_grid = grad_grid.reshape(n, groups, n_taps, rows, width, 2)
    grad_dy_dx = grad_offset.unflatten(1, (groups, -1, 2))
    torch.mul(grad_grid[..., 0], 2 / pictures.shape[3], out=grad_dy_dx[:, :, :, 1])
    torch.mul(grad_grid[..., 1], 2 / pictures.shape[2], out=grad_dy_dx[:, :, :, 0])
    return grad_pictures.reshape(pictures.shape) if needs_pictures else None


def _as_batch(pictures: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    # grid_sampler also reads a grid whose x and y are planes, so nothing is interleaved here
    places = grid.flatten(3, 4).flatten(0, 1).permute(0, 2, 3, 1)  # [n*G, K*rows, W, 2]
    return pictures.reshape(len(places), -1, *pictures.shape[2:]), places
