"""Our kernels as the CUDA implementations of torch's cvqe::deform_conv2d, packed_deform_conv2d and warp.

For inference in half or float. What needs a gradient, or comes in other types, goes the way it goes without us. A
kernel is compiled and loaded when a shape of weights is first seen: run a network once before it is captured.
"""

from functools import cache

import torch
from torch import Tensor

from cvqe.errors import BackendError
from cvqe.layers import deform_conv, warp
from plugins.deform_conv.compiler import compile_kernel
from plugins.deform_conv.launcher import Launcher
from plugins.deform_conv.problem import Dtype, Problem

DTYPES: dict[torch.dtype, Dtype] = {torch.float16: "fp16", torch.float32: "fp32"}
MAX_WARP_PLANES = 8  # as many as deform_planes computes without a dot


def register() -> None:
    """Let torch take these kernels on CUDA devices; more than once is as good as once."""
    torch.library.register_kernel("cvqe::deform_conv2d", "cuda", _deform_conv2d)
    torch.library.register_kernel("cvqe::packed_deform_conv2d", "cuda", fused_deform_conv2d)
    torch.library.register_kernel("cvqe::warp", "cuda", _warp)


def fused_deform_conv2d(x: Tensor, packed: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve where the output of an offset convolution says, read in place: no split, no sigmoid.

    Args:
        x: features, [N, C, H, W], on a CUDA device.
        packed: [N, 3*G*K, H, W]: 2*G*K channels of offsets (dy, dx), then G*K of the mask before its sigmoid.
        weight: [C_out, C, kh, kw], odd sizes, "same" padding.
        bias: [C_out].

    Returns:
        [N, C_out, H, W] in the type of x.

    Raises:
        ShapeError: the shapes do not fit together.
        BackendError: no kernel for this device, or the driver refuses.
    """
    n_mask = packed.shape[1] // 3
    offset, mask = packed[:, : 2 * n_mask], packed[:, 2 * n_mask :]
    if not is_ours(x, packed, weight, bias):
        return deform_conv.computed_by_torch(x, offset, mask.sigmoid(), weight, bias)
    groups = deform_conv.offset_groups(x, offset, mask, weight, bias)
    problem = problem_of(x, weight, groups, "logits", packed=True)
    return _launched(problem, x, (x, weight, packed, bias))


def is_ours(*tensors: Tensor | None) -> bool:
    """Tell whether tensors are of one type that a kernel is made for, and none wants a gradient."""
    given = [tensor for tensor in tensors if tensor is not None]
    wants_gradient = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
    return not wants_gradient and given[0].dtype in DTYPES and len({tensor.dtype for tensor in given}) == 1


def problem_of(x: Tensor, weight: Tensor, groups: int, mask: str, packed: bool = False) -> Problem:
    """Return what a convolution with stride 1 and "same" padding computes."""
    c_out, channels, kernel_height, kernel_width = weight.shape
    pad_y, pad_x = kernel_height // 2, kernel_width // 2
    return Problem(
        channels=channels,
        c_out=c_out,
        kernel=(kernel_height, kernel_width),
        pads=(pad_y, pad_x, pad_y, pad_x),
        offset_group=groups,
        mask=mask,  # type: ignore[arg-type]
        packed=packed,
        dtype=DTYPES[x.dtype],
    )


def _deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor) -> Tensor:
    if not is_ours(x, offset, mask, weight, bias):
        return deform_conv.computed_by_torch(x, offset, mask, weight, bias)
    groups = deform_conv.offset_groups(x, offset, mask, weight, bias)
    problem = problem_of(x, weight, groups, "none" if mask is None else "values")
    masks = () if mask is None else (mask,)
    return _launched(problem, x, (x, weight, offset, bias, *masks))


def _warp(planes: Tensor, displacement: Tensor) -> Tensor:
    if not is_ours(planes, displacement) or planes.shape[1] > MAX_WARP_PLANES:
        return warp.computed_by_torch(planes, displacement)
    warp.check_shapes(planes, displacement)
    weight, bias = _identity(planes.shape[1], planes.dtype, planes.device)
    problem = problem_of(planes, weight, planes.shape[1], "none")
    return _launched(problem, planes, (planes, weight, displacement, bias))


def _launched(problem: Problem, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    inputs = [tensor.contiguous() for tensor in tensors]
    n, _, height, width = x.shape
    y = x.new_empty((n, problem.c_out, *problem.out_size(height, width)))
    if y.numel() == 0:
        return y
    with torch.cuda.device(x.device):
        launcher = _loaded_launcher(problem, x.device)
        stream = torch.cuda.current_stream().cuda_stream
        pointers = [tensor.data_ptr() for tensor in (*inputs, y)]
        launcher.launch(stream, pointers, [tuple(tensor.shape) for tensor in (*inputs, y)])
    return y


@cache
def _loaded_launcher(problem: Problem, device: torch.device) -> Launcher:
    if torch.cuda.is_current_stream_capturing():
        raise BackendError(
            "a DeformConv is captured into a CUDA graph before its kernel is loaded; run the network once before."
        )
    major, minor = torch.cuda.get_device_capability(device)
    launcher = Launcher([compile_kernel(problem, 10 * major + minor)])
    launcher.load()
    return launcher


@cache
def _identity(n_planes: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    weight = torch.eye(n_planes, dtype=dtype, device=device).view(n_planes, n_planes, 1, 1)
    return weight, torch.zeros(n_planes, dtype=dtype, device=device)
