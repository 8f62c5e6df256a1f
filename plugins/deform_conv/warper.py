"""Planes read at displaced pixels on the CPU: deformable convolution's sampling where the kernel is a single tap.

    x [N, C, H, W] or [N, H, W, C], some channels of it ---\\
    offset [N, H, W, 2*G], or cells of r x r pixels ---------> warped [N, G, H, W] or [N, H, W, G]
    mask [N, H, W, G], maybe ------------------------------/

Every plane has offsets of its own. Threads share out strips of rows; the loops themselves are in `warp_kernel.py` and
are compiled at first use. Only then is llvmlite needed.
"""

import ctypes
import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ShapeError
from plugins.deform_conv.sampler import MAX_ELEMENTS, MaskKind
from plugins.deform_conv.workers import Workers

# a strip of rows is a thread's work, and done in tiles: rows of a tile share the cells their offsets are in
TILE_ROWS, TILE_COLUMNS = 8, 128


@dataclass(frozen=True)
class Channels:
    """Where a tensor holds what is wanted of it: every step-th channel from start on.

    With a block of r > 1 the tensor is what depth-to-space would make r times as high and wide: channel c of pixel
    (y, x) is channel start + c*r*r + y%r*r + x%r of (y//r, x//r), `torch.pixel_shuffle`.
    """

    start: int = 0
    step: int = 1
    block: int = 1


ALL = Channels()


@dataclass(frozen=True)
class Variant:
    """What is compiled separately."""

    n_planes: int
    x_channels: int  # 0 in planes, where it makes no difference
    x_step: int
    x_parity: int  # of the first plane's channel; counts only where bfloat16 channels pair up in words
    is_x_planar: bool
    block: int
    is_x_bfloat16: bool
    are_taps_bfloat16: bool  # offset, mask and warped
    mask_kind: MaskKind
    is_warped_planar: bool


@dataclass(frozen=True)
class Warp:
    """What is read of which input."""

    n_planes: int
    x: Channels = ALL
    offset: Channels = ALL
    mask: Channels = ALL
    mask_kind: MaskKind = MaskKind.NONE
    is_x_planar: bool = False
    is_warped_planar: bool = False

    def x_shape(self, x_shape: Any) -> tuple[Any, Any, Any, Any]:
        """Return N, C, H and W of an x of this shape."""
        n, *others = x_shape
        channels, height, width = others if self.is_x_planar else (others[2], *others[:2])
        return n, channels, height, width

    def warped_shape(self, x_shape: Any) -> list[Any]:
        """Return the shape of the result for an x of this shape."""
        n, _, height, width = self.x_shape(x_shape)
        return [n, self.n_planes, height, width] if self.is_warped_planar else [n, height, width, self.n_planes]


def warp_planes(
    workers: Workers,
    x: NDArray[Any],
    offset: NDArray[Any],
    mask: NDArray[Any] | None,
    warped: NDArray[Any],
    warp: Warp,
) -> None:
    """Fill warped, [N, H, W, G] or [N, G, H, W].

    The arrays are contiguous, float32, or uint16 holding bfloat16; offset, mask and warped agree. Corners outside the
    picture read 0, and so does a pixel whose offset is NaN.

    Args:
        workers: the threads.
        x: planes, among others, [N, C, H, W] or [N, H, W, C].
        offset: (dy, dx) pairs in pixels, [N, H/r, W/r, C'].
        mask: [N, H, W, C''], maybe the same array as offset; None goes with MaskKind.NONE.
        warped: written.
        warp: which channels are meant.

    Raises:
        ShapeError: the shapes do not fit together, or an array has too many elements.
    """
    mask = offset if mask is None else mask  # then never read
    check_shapes(x, offset, mask, warped, warp)
    n, channels, height, width = warp.x_shape(x.shape)
    if warp.is_x_planar and width == 1:  # a bfloat16 word of a plane holds two neighbours
        x, warp = np.ascontiguousarray(np.moveaxis(x, 1, 3)), dataclasses.replace(warp, is_x_planar=False)
    x_address, x_start = (x.ctypes.data, warp.x.start) if warp.is_x_planar else _whole_words(x, warp.x)
    mask_address, mask_start = _whole_words(mask, warp.mask)
    strips_in_picture, next_strip = -(-height // TILE_ROWS), ctypes.c_int64(0)
    run = functools.partial(
        compiled(variant_of(warp, channels, x.dtype == np.uint16, warped.dtype == np.uint16)),
        *(x_address, offset.ctypes.data, mask_address, warped.ctypes.data, ctypes.addressof(next_strip)),
        *(n * strips_in_picture, strips_in_picture, height, width),
        *(channels, x_start, offset.shape[3], warp.offset.start, mask.shape[3], mask_start),
    )
    workers.share(run, n * strips_in_picture)


def variant_of(warp: Warp, channels: int, is_x_bfloat16: bool, are_taps_bfloat16: bool) -> Variant:
    """Return what has to be compiled for an x of so many channels and these types."""
    return Variant(
        n_planes=warp.n_planes,
        x_channels=0 if warp.is_x_planar else channels,
        x_step=warp.x.step,
        x_parity=warp.x.start % 2,
        is_x_planar=warp.is_x_planar,
        block=warp.offset.block,
        is_x_bfloat16=is_x_bfloat16,
        are_taps_bfloat16=are_taps_bfloat16,
        mask_kind=warp.mask_kind,
        is_warped_planar=warp.is_warped_planar,
    )


def check_shapes(x: NDArray[Any], offset: NDArray[Any], mask: NDArray[Any], warped: NDArray[Any], warp: Warp) -> None:
    """Raise ShapeError before memory is read that is not there."""
    n, channels, height, width = warp.x_shape(x.shape)
    planes, block = warp.n_planes, warp.offset.block
    n_read = warp.x.start + (planes - 1) * warp.x.step + 1
    if channels < n_read:
        raise ShapeError(f"x is {list(x.shape)}, but {n_read} channels are needed.")
    wanted = {"offset": (offset, [n, height // block, width // block, warp.offset.start + 2 * planes * block**2])}
    if warp.mask_kind is not MaskKind.NONE:
        wanted["mask"] = (mask, [n, height, width, warp.mask.start + planes])
    for name, (array, shape) in wanted.items():
        if [*array.shape[:3]] != shape[:3] or array.shape[3] < shape[3]:
            raise ShapeError(f"{name} is {list(array.shape)}, not {shape}, where x is {list(x.shape)}.")
    if height % block or width % block:
        raise ShapeError(f"x is {list(x.shape)}, which cells of {block}x{block} pixels do not fill.")
    for name, array in (("x", x), ("offset", offset), ("mask", mask)):
        if array.size > MAX_ELEMENTS:
            raise ShapeError(f"a warp counts elements in 31 bits, but {name} {list(array.shape)} has {array.size}.")
    assert all(array.flags.c_contiguous for array in (x, offset, mask, warped))
    assert list(warped.shape) == warp.warped_shape(x.shape)
    assert {x.dtype, warped.dtype} <= {np.dtype(np.float32), np.dtype(np.uint16)}
    assert offset.dtype == warped.dtype and (warp.mask_kind is MaskKind.NONE or mask.dtype == warped.dtype)


def _whole_words(array: NDArray[Any], channels: Channels) -> tuple[int, int]:
    """Return the address of the 32-bit word the array begins in, and the first channel counted from there.

    bfloat16 is gathered in words. One that ends outside the array still lies in the same page of memory.
    """
    excess = array.ctypes.data % 4
    return array.ctypes.data - excess, channels.start + excess // array.itemsize


@functools.lru_cache
def compiled(variant: Variant) -> Callable[..., None]:
    """Compile a variant, once a process; about 0.1 s."""
    from plugins.deform_conv.warp_kernel import warp_kernel

    return warp_kernel(variant).compile()
