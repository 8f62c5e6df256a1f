"""What one deformable convolution computes, apart from the size of its frames."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from cvqe.errors import ShapeError

Mask = Literal["none", "values", "logits"]
Dtype = Literal["fp16", "fp32"]
ITEM_BYTES = {"fp16": 2, "fp32": 4}


@dataclass(frozen=True)
class Problem:
    """The attributes of a DeformConv node and the sizes of its weights; checks itself.

    Attributes:
        channels: C of x [N, C, H, W].
        c_out: C_out of y [N, C_out, H', W'].
        kernel: (kh, kw).
        strides: from output pixel to output pixel, (y, x).
        dilations: from tap to tap, (y, x).
        pads: top, left, bottom, right.
        group: C and C_out are cut into this many groups; weight is [C_out, C / group, kh, kw].
        offset_group: C is cut into this many groups, each with its own offsets and mask.
        mask: "values" is a mask [N, offset_group * kh*kw, H', W'], "logits" the same before its sigmoid.
        packed: offset and mask logits are one tensor [N, 3 * offset_group * kh*kw, H', W'], offsets first.
        dtype: of every tensor; coordinates and sums are float32 in any case.

    Raises:
        ShapeError: no such operator exists.
    """

    channels: int
    c_out: int
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    group: int = 1
    offset_group: int = 1
    mask: Mask = "none"
    packed: bool = False
    dtype: Dtype = "fp16"

    def __post_init__(self) -> None:
        for name, length in (("kernel", 2), ("strides", 2), ("dilations", 2), ("pads", 4)):
            numbers, least = getattr(self, name), 0 if name == "pads" else 1
            if len(numbers) != length or min(numbers) < least:
                raise ShapeError(f"{name} {list(numbers)} can't be; {length} numbers from {least} on are needed.")
        if min(self.channels, self.c_out, self.group, self.offset_group) < 1:
            raise ShapeError(f"channels, c_out, group and offset_group are 1 or more, got {self}.")
        if self.channels % self.offset_group or self.channels % self.group or self.c_out % self.group:
            raise ShapeError(
                f"{self.channels} channels in and {self.c_out} out can't be cut into "
                f"group {self.group} and offset_group {self.offset_group}."
            )
        for name, allowed in (("mask", get_args(Mask)), ("dtype", get_args(Dtype))):
            if getattr(self, name) not in allowed:
                raise ShapeError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}.")
        if self.packed and self.mask != "logits":
            raise ShapeError(f'a packed tensor holds mask logits, so mask is "logits" there, not "{self.mask}".')

    @property
    def n_taps(self) -> int:
        """K, the places a kernel reads in each channel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def offset_channels(self) -> int:
        """Channels of the offset tensor, or of the packed one."""
        return (3 if self.packed else 2) * self.offset_group * self.n_taps

    @property
    def mask_channels(self) -> int:
        """Channels of the mask tensor; 0 where there is none of its own."""
        return 0 if self.packed or self.mask == "none" else self.offset_group * self.n_taps

    def out_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (H', W') for frames of this size; raise ShapeError where nothing is left."""
        sides = zip((height, width), self.kernel, self.strides, self.dilations, range(2), strict=True)
        size = tuple(
            (side + self.pads[axis] + self.pads[axis + 2] - dilation * (taps - 1) - 1) // stride + 1
            for side, taps, stride, dilation, axis in sides
        )
        if min(size) < 1:
            raise ShapeError(f"frames of {height}x{width} are smaller than the {self.kernel} kernel with its dilation.")
        return cast(tuple[int, int], size)

    def shapes(self, n: int, height: int, width: int) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of x, weight, offset (or the packed tensor), bias, mask if it is a tensor of its own, y."""
        out_size = self.out_size(height, width)
        mask = ((n, self.mask_channels, *out_size),) if self.mask_channels else ()
        return (
            (n, self.channels, height, width),
            (self.c_out, self.channels // self.group, *self.kernel),
            (n, self.offset_channels, *out_size),
            (self.c_out,),
            *mask,
            (n, self.c_out, *out_size),
        )

    def traffic_bytes(self, n: int, height: int, width: int) -> int:
        """Return the floor: x, offset, mask and y moved once; weights are small and stay in a cache."""
        out_height, out_width = self.out_size(height, width)
        per_pixel = self.offset_channels + self.mask_channels + self.c_out
        n_items = self.channels * height * width + per_pixel * out_height * out_width
        return n * n_items * ITEM_BYTES[self.dtype]
