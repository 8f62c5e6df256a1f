"""The CUDA kernels in Triton's interpreter, on the CPU: the same source, a tensor at a time."""

from typing import Any

import numpy as np
import torch

from plugins.deform_conv.kernel_choice import choose_kernel
from plugins.deform_conv.kernel_source import load_kernels
from plugins.deform_conv.problem import Problem

DTYPES = {"fp16": np.float16, "fp32": np.float32}


def run_kernel(
    problem: Problem,
    x: Any,
    weight: Any,
    offset: Any,
    bias: Any,
    mask: Any = None,
    *,
    is_wide: bool = False,
    block_pixels: int = 4096,
) -> Any:
    """Return y, which was filled with NaN before, for NumPy arrays; offset is the packed tensor of a packed problem.

    A block takes the interpreter as long however many pixels it has, so here it has more of them than on a GPU.
    """
    n, _, height, width = x.shape
    choice = choose_kernel(problem, 80, is_aligned=not is_wide)
    out_height, out_width = problem.out_size(height, width)
    y = np.full((n, problem.c_out, out_height, out_width), np.nan, DTYPES[problem.dtype])
    tensors = [None if array is None else torch.from_numpy(array) for array in (x, weight, offset, bias, mask, y)]
    assert all(tensor is None or tensor.numpy().dtype == y.dtype for tensor in tensors)
    out_plane = out_height * out_width
    constants = dict(choice.constants) | {"BLOCK_P": block_pixels, "WIDE": is_wide}
    kernel = getattr(load_kernels(interpreted=True), choice.name)
    kernel[(-(-out_plane // block_pixels), choice.n_tiles, n)](
        *tensors, height, width, out_width, out_plane, **constants
    )
    return y
