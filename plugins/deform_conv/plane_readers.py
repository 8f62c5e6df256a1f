"""How a warp's vectors read the planes they sample: four corners around each place, from either layout.

Memory is read as float32 or, because no processor gathers 16 bits, in words of two bfloat16: neighbouring pixels of a
plane, or neighbouring channels of a pixel.
"""

from typing import Any, NamedTuple, Protocol

from plugins.deform_conv.vector_math import halves_at
from plugins.deform_conv.vectors import BYTE, F32, HIGH_HALF, I16, I32, I64, Kernel, Vector
from plugins.deform_conv.warper import Variant

# the processor multiplies a gather's index by 1, 2, 4 or 8
SCALES = {1: BYTE, 2: I16, 4: I32, 8: I64}


class Place(NamedTuple):
    """Where a vector of samples lies: the upper left corner, and how far past it, in [0, 1]."""

    y: Vector
    below: Vector
    x: Vector
    right: Vector


Corners = list[list[Vector]]  # [[upper left, upper right], [lower left, lower right]]


class Reader(Protocol):
    """Writes the reading of x."""

    def corners(self, n: Any, plane: int, place: Place) -> Corners:
        """Return what a plane of the n-th picture holds around a place; 0 outside the picture."""


def reader(kernel: Kernel, variant: Variant) -> Reader:
    """Return the reader for a layout and type."""
    if not variant.is_x_planar:
        return _ChannelsLast(kernel, variant)
    return _HalfPlanes(kernel, variant) if variant.is_x_bfloat16 else _Planes(kernel, variant)


class _Picture:
    """The size of a picture, and what of a place is inside.

    A branch for vectors that lie inside, without these comparisons, was 4% faster and compiled a third longer.
    """

    def __init__(self, kernel: Kernel, variant: Variant) -> None:
        self.kernel, self.variant = kernel, variant
        self.element_bytes = 2 if variant.is_x_bfloat16 else 4
        self.height, self.width = kernel.splat(kernel["height"]), kernel.splat(kernel["width"])

    def rows(self, place: Place) -> list[Vector]:
        """Return where the upper and the lower row are inside."""
        return [(place.y + below).is_index_into(self.height) for below in (0, 1)]

    def inside(self, place: Place) -> Corners:
        """Return where each corner is inside."""
        columns = [(place.x + right).is_index_into(self.width) for right in (0, 1)]
        return [[row & column for column in columns] for row in self.rows(place)]

    def channel(self, plane: int) -> Any:
        """Return the channel of x that is a plane."""
        return self.kernel.add(self.kernel["x_start"], plane * self.variant.x_step)


class _Planes(_Picture):
    """Reads [N, C, H, W] in float32."""

    def corners(self, n: Any, plane: int, place: Place) -> Corners:
        index, inside = place.y * self.width + place.x, self.inside(place)
        return [
            [
                self.kernel.gather(F32, self.row_start(n, plane, below, right), index, inside[below][right])
                for right in (0, 1)
            ]
            for below in (0, 1)
        ]

    def row_start(self, n: Any, plane: int, below: int, right: int = 0) -> Any:
        """Return the address of a pixel of the first two rows of a plane."""
        kernel = self.kernel
        number = kernel.add(kernel.mul(n, kernel["x_channels"]), self.channel(plane))
        row = kernel.add(kernel.mul(number, kernel["height"]), below)
        return kernel.at("x", kernel.add(kernel.mul(row, kernel["width"]), right), self.element_bytes)


class _HalfPlanes(_Planes):
    """Reads [N, C, H, W] in bfloat16: a word holds both corners of a row. W is 2 or more."""

    def corners(self, n: Any, plane: int, place: Place) -> Corners:
        # no word leaves the picture: at its edges it begins a pixel late or early
        first = place.x.between(0, self.width - 2)
        index, shift = place.y * self.width + first, place.x - first
        words = [
            self.kernel.gather(I32, self.row_start(n, plane, below), index, row, I16)
            for below, row in enumerate(self.rows(place))
        ]
        return [self.halves(word, shift) for word in words]

    def halves(self, words: Vector, shift: Vector) -> list[Vector]:
        """Return the corners of a row from words that begin `shift` pixels before them."""
        low, high = words << 16, words & HIGH_HALF
        here = shift.equals(0).select(low, shift.equals(1).select(high, 0))
        beside = shift.equals(0).select(high, shift.equals(-1).select(low, 0))
        return [here.bits(), beside.bits()]


class _ChannelsLast(_Picture):
    """Reads [N, H, W, C]."""

    def corners(self, n: Any, plane: int, place: Place) -> Corners:
        index, inside = place.y * self.width + place.x, self.inside(place)
        return [
            [self.read(n, plane, below, right, index, inside[below][right]) for right in (0, 1)] for below in (0, 1)
        ]

    def read(self, n: Any, plane: int, below: int, right: int, pixel: Vector, live: Vector) -> Vector:
        """Return a plane's values so many rows below and columns to the right of a pixel; lanes not live read 0."""
        kernel, channels = self.kernel, self.variant.x_channels
        row = kernel.add(kernel.mul(n, kernel["height"]), below)
        first_pixel = kernel.add(kernel.mul(row, kernel["width"]), right)
        first = kernel.add(kernel.mul(first_pixel, channels), self.channel(plane))
        if not self.variant.is_x_bfloat16:
            return self.gather(F32, first, pixel, live)
        if channels % 2:
            return halves_at(kernel["x"], kernel.splat(first) + pixel * channels, live)
        # the word of two channels of the pixel, the even one in its low half
        is_odd = (self.variant.x_parity + plane * self.variant.x_step) % 2
        words = self.gather(I32, kernel.sub(first, is_odd), pixel, live)
        return (words & HIGH_HALF if is_odd else words << 16).bits()

    def gather(self, element: Any, first: Any, pixel: Vector, live: Vector) -> Vector:
        """Return 32-bit elements, the one `first` being pixel 0's."""
        channels = self.variant.x_channels
        pixel_bytes = channels * self.element_bytes
        start = self.kernel.at("x", first, self.element_bytes)
        if pixel_bytes in SCALES:
            return self.kernel.gather(element, start, pixel, live, SCALES[pixel_bytes])
        return self.kernel.gather(element, start, pixel * channels, live, SCALES[self.element_bytes])
