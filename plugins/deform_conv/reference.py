"""The equation of ONNX DeformConv in NumPy: readable, complete, slow; every kernel is tested against it.

y(p) = b + sum_k  w_k * x(p * stride - pad + k * dilation + d_k(p)) * m_k(p)      DCNv2, Zhu et al., CVPR 2019, eq. (1)
"""

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ShapeError

Floats = NDArray[np.floating]


def deform_conv(
    x: Floats,
    weight: Floats,
    offset: Floats,
    bias: Floats | None = None,
    mask: Floats | None = None,
    *,
    strides: tuple[int, int] = (1, 1),
    dilations: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    group: int = 1,
    offset_group: int = 1,
) -> Floats:
    """Sample every kernel tap where offset and mask say, then convolve; arguments as in ONNX, pads are (y, x, y, x).

    Everything is computed in the type of x: float64 inputs make a reference that no float32 kernel can reach.

    Args:
        x: features, [N, C, H, W].
        weight: [C_out, C / group, kh, kw].
        offset: d_k in pixels, (dy, dx) pairs, [N, offset_group * kh*kw * 2, H', W']. A tap that NaN or a huge number
            moves out of the picture reads 0.
        bias: [C_out]; None is 0.
        mask: m_k, [N, offset_group * kh*kw, H', W']; None is 1.
        strides: from output pixel to output pixel.
        dilations: from tap to tap.
        pads: top, left, bottom, right.
        group: input channels are cut into this many groups, each with its own outputs.
        offset_group: input channels are cut into this many groups, each with its own offsets and mask.

    Returns:
        [N, C_out, H', W'] in the type of x. Corners outside the picture read 0.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    n, channels, height, width = x.shape
    c_out, _, kernel_height, kernel_width = weight.shape
    n_taps = kernel_height * kernel_width
    out_height = (height + pads[0] + pads[2] - dilations[0] * (kernel_height - 1) - 1) // strides[0] + 1
    out_width = (width + pads[1] + pads[3] - dilations[1] * (kernel_width - 1) - 1) // strides[1] + 1
    out_size = (out_height, out_width)
    if channels % offset_group or weight.shape[1] * group != channels or c_out % group:
        raise ShapeError(
            f"x has {channels} channels, weight is {list(weight.shape)}: "
            f"that can't be group {group}, offset_group {offset_group}."
        )
    if offset.shape != (n, offset_group * n_taps * 2, *out_size):
        raise ShapeError(f"offset is {list(offset.shape)}, not {[n, offset_group * n_taps * 2, *out_size]}.")
    if mask is not None and mask.shape != (n, offset_group * n_taps, *out_size):
        raise ShapeError(f"mask is {list(mask.shape)}, not {[n, offset_group * n_taps, *out_size]}.")

    tap_y, tap_x = np.indices((kernel_height, kernel_width)).reshape(2, n_taps, 1, 1)
    row, column = np.indices(out_size)
    place_y = row * strides[0] - pads[0] + tap_y * dilations[0]  # [K, H', W']
    place_x = column * strides[1] - pads[1] + tap_x * dilations[1]
    dy, dx = np.moveaxis(offset.reshape(n, offset_group, n_taps, 2, *out_size), 3, 0).astype(x.dtype)
    sample_y, sample_x = place_y.astype(x.dtype) + dy, place_x.astype(x.dtype) + dx  # [N, G, K, H', W']

    grouped = x.reshape(n, offset_group, -1, height, width)
    samples = np.stack(
        [
            [bilinear(grouped[i, g], sample_y[i, g], sample_x[i, g]) for g in range(offset_group)]  # [C / G, K, H', W']
            for i in range(n)
        ]
    )
    if mask is not None:
        samples *= mask.reshape(n, offset_group, 1, n_taps, *out_size)
    per_group = samples.reshape(n, group, -1, *out_size)  # [N, group, C / group * K, H', W']
    weights = weight.reshape(group, c_out // group, -1).astype(x.dtype)
    convolved: Floats = np.einsum("goi,ngiyx->ngoyx", weights, per_group).reshape(n, c_out, *out_size)
    if bias is not None:
        convolved += bias.astype(x.dtype)[:, None, None]
    return convolved


def bilinear(picture: Floats, y: Floats, x: Floats) -> Floats:
    """Read a picture [C, H, W] between its pixels; y and x share any shape, the result is [C, *shape]."""
    height, width = picture.shape[1:]
    # all of the outside reads 0: one pixel out is far enough
    y = np.clip(np.where(np.isnan(y), -1, y), -1, height)
    x = np.clip(np.where(np.isnan(x), -1, x), -1, width)
    below, right = y - np.floor(y), x - np.floor(x)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    padded = np.pad(picture, [(0, 0), (1, 2), (1, 2)])
    upper = padded[:, top + 1, left + 1] * (1 - right) + padded[:, top + 1, left + 2] * right
    lower = padded[:, top + 2, left + 1] * (1 - right) + padded[:, top + 2, left + 2] * right
    samples: Floats = upper * (1 - below) + lower * below
    return samples
