"""The sampling half of a deformable convolution on the CPU: bilinear taps times mask, channels last.

    x [N, H, W, C] ----------------\\
    offset [N, H', W', 2 * C*K] ----> samples [N, H', W', C*K] --> (1x1 convolution with the weights, by the caller)
    mask [N, H', W', C*K] ---------/

Every input channel has offsets of its own (offset_group = C). Threads share out the rows; the loops themselves are in
`sampling_kernel.py` and are compiled at first use. Only then is llvmlite needed.
"""

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ShapeError
from plugins.deform_conv.workers import Workers
from plugins.deform_conv.workers import allowed_cpus as allowed_cpus

# a gather counts elements in int32
MAX_ELEMENTS = 2**31 - 1
MAX_LANES = 16


class MaskKind(Enum):
    """What the mask tensor holds."""

    NONE = "no mask: every tap counts fully"
    FACTORS = "factors, usually in [0, 1]"
    LOGITS = "numbers whose sigmoid is the factor"


@dataclass(frozen=True)
class Geometry:
    """Where the taps of an output pixel lie before offsets move them; pairs are (y, x)."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right

    @property
    def n_taps(self) -> int:
        """K, the taps per channel."""
        return self.kernel[0] * self.kernel[1]

    def out_size(self, height: int, width: int) -> tuple[int, int]:
        """Return H' and W'."""
        out_height, out_width = (
            (side + self.pads[axis] + self.pads[axis + 2] - self.dilations[axis] * (self.kernel[axis] - 1) - 1)
            // self.strides[axis]
            + 1
            for axis, side in enumerate((height, width))
        )
        return out_height, out_width


@dataclass(frozen=True)
class Variant:
    """What is compiled separately."""

    max_lanes: int
    is_x_bfloat16: bool
    are_taps_bfloat16: bool  # offset, mask and samples
    mask_kind: MaskKind


class Sampler:
    """Samples on a number of threads; several may call it at once."""

    def __init__(self, n_threads: int) -> None:
        self.workers = Workers(n_threads)

    def __call__(
        self,
        x: NDArray[Any],
        offset: NDArray[Any],
        mask: NDArray[Any] | None,
        samples: NDArray[Any],
        geometry: Geometry,
        mask_kind: MaskKind = MaskKind.FACTORS,
        offset_start: int = 0,
        mask_start: int = 0,
    ) -> None:
        """Fill samples [N, H', W', C*K], ordered by channel, then tap.

        The arrays are contiguous, float32, or uint16 holding bfloat16; offset, mask and samples agree. Corners outside
        the picture read 0, and so does a tap whose offset is NaN.

        Args:
            x: features, [N, H, W, C]; bfloat16 only if C is even.
            offset: (dy, dx) pairs in pixels, [N, H', W', 2*C*K], or more channels than that.
            mask: [N, H', W', C*K], or more channels than that, maybe the same array; None goes with MaskKind.NONE.
            samples: written.
            geometry: the kernel's taps.
            mask_kind: factors or logits.
            offset_start: where the pairs begin among the channels of `offset`.
            mask_start: where the mask begins among the channels of `mask`.

        Raises:
            ShapeError: the shapes do not fit together, or x has too many elements.
        """
        if x.size > MAX_ELEMENTS:
            raise ShapeError(f"the sampler counts elements in 31 bits, but x {list(x.shape)} has {x.size}.")
        n, height, width, channels = x.shape
        n_samples, out_size = channels * geometry.n_taps, geometry.out_size(height, width)
        mask = offset if mask is None else mask  # then never read
        for name, array, start, length in (
            ("offset", offset, offset_start, 2 * n_samples),
            ("mask", mask, mask_start, n_samples),
            ("samples", samples, 0, n_samples),
        ):
            if array.shape[:3] != (n, *out_size) or array.shape[3] < start + length:
                wanted = [n, *out_size, start + length]
                raise ShapeError(f"{name} is {list(array.shape)}, not {wanted}, where x is {list(x.shape)}.")
        variant = Variant(lanes_for(n_samples), x.dtype == np.uint16, samples.dtype == np.uint16, mask_kind)
        assert not (variant.is_x_bfloat16 and channels % 2), "bfloat16 is gathered in words of two channels"
        assert all(array.flags.c_contiguous for array in (x, offset, mask, samples)) and samples.shape[3] == n_samples
        assert {x.dtype, samples.dtype} <= {np.dtype(np.float32), np.dtype(np.uint16)}
        assert offset.dtype == mask.dtype == samples.dtype
        next_row = ctypes.c_int64(0)
        run = functools.partial(
            compiled(variant),
            x.ctypes.data,
            offset.ctypes.data + offset_start * offset.itemsize,
            mask.ctypes.data + mask_start * mask.itemsize,
            *(array.ctypes.data for array in (samples, *tap_places(geometry, channels))),
            ctypes.addressof(next_row),
            *(n * out_size[0], height, width, channels, *out_size, n_samples, *geometry.strides),
            *(offset.shape[3], mask.shape[3]),
        )
        self.workers.share(run, n * out_size[0])


@functools.lru_cache
def shared_sampler(n_threads: int) -> Sampler:
    """Return the process's sampler for a number of threads: its threads live as long as the process does."""
    return Sampler(n_threads)


def lanes_for(n_samples: int) -> int:
    """Return how many samples a vector may hold: no more than a pixel has, or most lanes would idle."""
    return max(4, min(MAX_LANES, 1 << (n_samples - 1).bit_length()))


@functools.lru_cache(maxsize=64)
def tap_places(geometry: Geometry, channels: int) -> NDArray[np.int32]:
    """Return y, x and channel of every (channel, tap) pair at output pixel (0, 0), [3, C*K plus room for a vector]."""
    channel, tap_y, tap_x = np.indices((channels, *geometry.kernel)).reshape(3, -1)
    (dilation_y, dilation_x), (top, left) = geometry.dilations, geometry.pads[:2]
    places = np.stack([tap_y * dilation_y - top, tap_x * dilation_x - left, channel])
    return np.pad(places, [(0, 0), (0, MAX_LANES)]).astype(np.int32)


@functools.lru_cache
def compiled(variant: Variant) -> Callable[..., None]:
    """Compile a variant, once a process; about 0.1 s."""
    from plugins.deform_conv.sampling_kernel import sampling_kernel

    return sampling_kernel(variant).compile()


def check_compiler() -> None:
    """Compile the smallest variant, to fail now rather than in the first inference."""
    compiled(Variant(4, is_x_bfloat16=False, are_taps_bfloat16=False, mask_kind=MaskKind.NONE))
