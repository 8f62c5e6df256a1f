"""The sampler's inner loops, written in vectors.

    for each row no thread has taken:  for each output pixel:  for each vector of neighbouring (channel, tap) pairs:
        sample = bilinear(x at place + offset) * mask

Channels last puts the pairs of a pixel side by side: offsets, mask and samples are read and written in order, and only
the four corners are gathered. Arithmetic is float32 whatever the memory holds.
"""

from typing import Any

from plugins.deform_conv.sampler import MaskKind, Variant
from plugins.deform_conv.vector_math import bfloat16_bits, displaced, halves_at, sigmoid
from plugins.deform_conv.vectors import F32, HIGH_HALF, I32, Kernel, Vector, native_lanes

POINTERS = ("x", "offset", "mask", "samples", "tap_y", "tap_x", "channel", "next_row")
INTEGERS = (
    *("rows", "height", "width", "channels", "out_height", "out_width", "n_samples", "stride_y", "stride_x"),
    *("offset_step", "mask_step"),  # elements from pixel to pixel
)


def sampling_kernel(variant: Variant) -> Kernel:
    """Write the loops over rows, pixels and vectors."""
    kernel = Kernel("sample_taps", POINTERS, INTEGERS, min(variant.max_lanes, native_lanes()))
    picture_elements = kernel.mul(kernel["height"], kernel.mul(kernel["width"], kernel["channels"]))
    end_of_full_vectors = kernel.sub(kernel["n_samples"], kernel.lanes - 1)
    taps = _Taps(kernel, variant)

    def row(index: Any) -> None:
        n, out_y = kernel.divmod(index, kernel["out_height"])
        picture = kernel.at("x", kernel.mul(n, picture_elements), taps.x_bytes)
        top = kernel.splat(kernel.mul(out_y, kernel["stride_y"]))

        def pixel(out_x: Any) -> None:
            number = kernel.add(kernel.mul(index, kernel["out_width"]), out_x)
            left = kernel.splat(kernel.mul(out_x, kernel["stride_x"]))
            first = kernel.loop(end_of_full_vectors, kernel.lanes, lambda j: taps.sample(picture, number, top, left, j))
            remaining = kernel.sub(kernel["n_samples"], first)
            with kernel.when_positive(remaining):
                taps.sample(picture, number, top, left, first, kernel.lanes_below(remaining))

        kernel.loop(kernel["out_width"], 1, pixel)

    kernel.claim(kernel["next_row"], kernel["rows"], row)
    return kernel


class _Taps:
    """Writes what happens to a vector of taps, `first` being the number of the first one among the pixel's."""

    def __init__(self, kernel: Kernel, variant: Variant) -> None:
        self.kernel, self.variant = kernel, variant
        self.x_bytes = 2 if variant.is_x_bfloat16 else 4
        self.tap_bytes = 2 if variant.are_taps_bfloat16 else 4
        self.height, self.width, self.channels = (kernel.splat(kernel[n]) for n in ("height", "width", "channels"))
        self.row_elements = kernel.splat(kernel.mul(kernel["width"], kernel["channels"]))

    def sample(
        self, picture: Any, pixel: Any, top: Vector, left: Vector, first: Any, live: Vector | None = None
    ) -> None:
        """Sample, multiply and store the live lanes of an output pixel whose kernel begins at (top, left)."""
        kernel = self.kernel
        dy, dx = self.load_offsets(pixel, first, live)
        y, below = displaced(self.place("tap_y", first, top), dy, self.height)
        x, right = displaced(self.place("tap_x", first, left), dx, self.width)
        channel = kernel.load(I32, kernel.at("channel", first, 4))
        upper_left = y * self.row_elements + x * self.channels + channel
        is_column = x.is_index_into(self.width), (x + 1).is_index_into(self.width)
        rows = []
        for y_, start in ((y, upper_left), (y + 1, upper_left + self.row_elements)):
            is_row = y_.is_index_into(self.height)
            if live is not None:
                is_row = is_row & live
            here = self.read(picture, start, is_row & is_column[0])
            beside = self.read(picture, start + self.channels, is_row & is_column[1])
            rows.append((beside - here).fma(right, here))
        sample = (rows[1] - rows[0]).fma(below, rows[0])
        if self.variant.mask_kind is not MaskKind.NONE:
            sample = sample * self.load_mask(pixel, first, live)
        self.store(sample, kernel.add(kernel.mul(pixel, kernel["n_samples"]), first), live)

    def load_offsets(self, pixel: Any, first: Any, live: Vector | None) -> tuple[Vector, Vector]:
        """Return dy and dx."""
        kernel = self.kernel
        place = kernel.add(kernel.mul(pixel, kernel["offset_step"]), kernel.mul(first, 2))
        address = kernel.at("offset", place, self.tap_bytes)
        if not self.variant.are_taps_bfloat16:
            return kernel.load_pairs(address, live)
        # one word is a whole (dy, dx); bfloat16 is the high half of a float32
        pair = kernel.load(I32, address, live)
        return (pair << 16).bits(), (pair & HIGH_HALF).bits()

    def place(self, tap: str, first: Any, origin: Vector) -> Vector:
        """Return where the taps lie along one axis before offsets move them."""
        return self.kernel.load(I32, self.kernel.at(tap, first, 4)) + origin

    def read(self, picture: Any, index: Vector, is_inside: Vector) -> Vector:
        """Return the picture's values at these indices, 0 outside."""
        if self.variant.is_x_bfloat16:
            return halves_at(picture, index, is_inside)
        return self.kernel.gather(F32, picture, index, is_inside)

    def load_mask(self, pixel: Any, first: Any, live: Vector | None) -> Vector:
        """Return the factors."""
        kernel = self.kernel
        address = kernel.at("mask", kernel.add(kernel.mul(pixel, kernel["mask_step"]), first), self.tap_bytes)
        if self.variant.are_taps_bfloat16:
            mask = (kernel.load_halves(address, live) << 16).bits()
        else:
            mask = kernel.load(F32, address, live)
        return sigmoid(mask) if self.variant.mask_kind is MaskKind.LOGITS else mask

    def store(self, sample: Vector, place: Any, live: Vector | None) -> None:
        """Write the samples; bfloat16 is rounded to nearest, ties to even."""
        address = self.kernel.at("samples", place, self.tap_bytes)
        if self.variant.are_taps_bfloat16:
            self.kernel.store_halves(bfloat16_bits(sample) >> 16, address, live)
        else:
            self.kernel.store(sample, address, live)
