"""What is launched where: which PTX a device can run, and the grid and arguments for tensors of given shapes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import BackendError, ShapeError
from plugins.deform_conv.compiled_kernel import CompiledKernel, EntryPoint

ADDRESS_BYTES, PLANE_ITEMS = 16, 8  # what an aligned entry point asks for
MAX_SIDE = 2**20  # beyond, a displacement in float32 could not be told from one that leaves the picture
MAX_INT32 = 2**31 - 1
MAX_BLOCKS = 65535  # in the second and third dimension of a grid
SLOT_BYTES = 8
WARP = 32


@dataclass(frozen=True)
class LaunchPlan:
    """All of a launch but the stream; arguments are addresses and small integers, one 8-byte slot each."""

    entry: EntryPoint
    grid: tuple[int, int, int]
    block: int
    arguments: tuple[int, ...]

    def slots(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return the arguments in memory, and the addresses of each, which the driver takes; keep both until then.

        A 32-bit parameter is read from the lower half of its slot: all machines with CUDA are little-endian.
        """
        values = np.array(self.arguments, np.uint64)
        return values, values.ctypes.data + SLOT_BYTES * np.arange(len(values), dtype=np.uint64)


def plan_launch(kernel: CompiledKernel, pointers: Sequence[int], shapes: Sequence[tuple[int, ...]]) -> LaunchPlan:
    """Return what computes y from the rest; pointers and shapes are those of x, weight, offset, bias, [mask], y.

    Raises:
        ShapeError: the shapes are not those of the problem, or larger than a launch can be.
    """
    problem = kernel.problem
    n, _, height, width = _checked(kernel, shapes)
    out_height, out_width = problem.out_size(height, width)
    out_plane = out_height * out_width
    is_aligned = (
        all(pointer % ADDRESS_BYTES == 0 for pointer in pointers)
        and out_plane % PLANE_ITEMS == 0
        and problem.channels * height * width <= MAX_INT32
    )
    entry = kernel.aligned if is_aligned else kernel.general
    return LaunchPlan(
        entry,
        grid=(-(-out_plane // kernel.block_pixels), kernel.n_tiles, n),
        block=WARP * kernel.n_warps,
        arguments=(*pointers, height, width, out_width, out_plane, *[0] * entry.n_hidden),
    )


def kernel_for(kernels: Sequence[CompiledKernel], compute_capability: int) -> CompiledKernel:
    """Return the kernel that suits a device best: that for its own capability, else the newest that is portable.

    PTX for sm_80 runs on every later GPU, where the driver compiles it anew. A target with a letter, as Triton writes
    from 9.0 on, runs on that one capability alone. So [80, 90, 120] serves everything from 8.0 on, and the best way
    on 9.0 and 12.0.

    Raises:
        BackendError: none can run there.
    """
    exact = [kernel for kernel in kernels if kernel.compute_capability == compute_capability]
    portable = [
        kernel for kernel in kernels if kernel.target[-1].isdigit() and kernel.compute_capability <= compute_capability
    ]
    if not exact and not portable:
        made_for = ", ".join(str(kernel.compute_capability) for kernel in kernels)
        raise BackendError(
            f"the DeformConv kernel was compiled for compute capability {made_for}, but this GPU has "
            f"{compute_capability}; build the engine again on this GPU or for {compute_capability}."
        )
    return exact[0] if exact else max(portable, key=lambda kernel: kernel.compute_capability)


def _checked(kernel: CompiledKernel, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    x = tuple(shapes[0]) if shapes else ()
    if len(x) != 4:
        raise ShapeError(f"x is {list(x)}; it must have the dimensions N, C, H, W.")
    n, _, height, width = x
    expected = kernel.problem.shapes(n, height, width)
    if [tuple(shape) for shape in shapes] != list(expected):
        raise ShapeError(
            f"the tensors are {[list(shape) for shape in shapes]}; x, weight, offset, bias"
            f"{', mask' if kernel.problem.mask_channels else ''} and y of such frames are {list(map(list, expected))}."
        )
    *_, out_height, out_width = expected[-1]
    largest_plane = max(height * width, out_height * out_width + kernel.block_pixels)
    if not 1 <= min(n, height, width) <= max(height, width) <= MAX_SIDE or largest_plane > MAX_INT32:
        raise ShapeError(
            f"x is {list(x)}; a DeformConv on a GPU takes sides from 1 to {MAX_SIDE}, 2**31 pixels at most."
        )
    if max(n, kernel.n_tiles) > MAX_BLOCKS:
        raise ShapeError(f"x is {list(x)} and group {kernel.problem.group}; either is {MAX_BLOCKS} at most on a GPU.")
    return x
