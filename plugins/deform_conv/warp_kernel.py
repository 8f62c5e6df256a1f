"""The warp's inner loops, written in vectors.

    for each strip of rows no thread has taken:  for each tile:  for each row:  for each vector of neighbouring pixels:
        for each plane:  sample = bilinear(plane at pixel + offset) * mask

A kernel of one tap over few planes has too few (channel, tap) pairs at a pixel to fill a vector, so here the lanes are
pixels. The planes are read and written in either layout; offsets and mask are channels last, and the offsets may come
in cells, before the depth-to-space that would spread them.
"""

from typing import Any

from plugins.deform_conv.plane_readers import Place, Reader, reader
from plugins.deform_conv.sampler import MaskKind
from plugins.deform_conv.vector_math import bfloat16_bits, displaced, halves_at, sigmoid
from plugins.deform_conv.vectors import F32, HIGH_HALF, I16, I32, Kernel, Vector, native_lanes
from plugins.deform_conv.warper import TILE_COLUMNS, TILE_ROWS, Variant

POINTERS = ("x", "offset", "mask", "warped", "next_strip")
INTEGERS = (
    *("strips", "strips_in_picture", "height", "width"),
    *("x_channels", "x_start", "offset_channels", "offset_start", "mask_channels", "mask_start"),
)


def warp_kernel(variant: Variant) -> Kernel:
    """Write the loops over strips, rows and vectors."""
    kernel = Kernel("warp_planes", POINTERS, INTEGERS, native_lanes())
    planes = reader(kernel, variant)

    def tile(n: Any, top: Any, left: Any) -> None:
        n_rows = kernel.minimum(kernel.sub(kernel["height"], top), TILE_ROWS)
        n_columns = kernel.minimum(kernel.sub(kernel["width"], left), TILE_COLUMNS)

        def row(y: Any) -> None:
            pixels = _Pixels(kernel, variant, planes, n, kernel.add(top, y))
            kernel.loop(
                n_columns,
                kernel.lanes,
                lambda x: pixels.warp(kernel.add(left, x), kernel.lanes_below(kernel.sub(n_columns, x))),
            )

        kernel.loop(n_rows, 1, row)

    def strip(index: Any) -> None:
        n, number = kernel.divmod(index, kernel["strips_in_picture"])
        top = kernel.mul(number, TILE_ROWS)
        kernel.loop(kernel["width"], TILE_COLUMNS, lambda left: tile(n, top, left))

    kernel.claim(kernel["next_strip"], kernel["strips"], strip)
    return kernel


class _Pixels:
    """Writes what happens to the pixels of a row; rows are numbered through the pictures of a batch."""

    def __init__(self, kernel: Kernel, variant: Variant, planes: Reader, n: Any, y: Any) -> None:
        self.kernel, self.variant, self.planes = kernel, variant, planes
        self.n, self.y = n, y
        self.tap_bytes = 2 if variant.are_taps_bfloat16 else 4
        self.row = kernel.add(kernel.mul(n, kernel["height"]), y)
        self.first_pixel = kernel.mul(self.row, kernel["width"])
        self.height, self.width = kernel.splat(kernel["height"]), kernel.splat(kernel["width"])

    def warp(self, left: Any, live: Vector) -> None:
        """Sample and store every plane at the live ones of the pixels that begin at column `left`."""
        kernel = self.kernel
        pixel = kernel.add(self.first_pixel, left)
        y, x = kernel.splat(self.y), kernel.splat(left) + kernel.lane_numbers()
        places = [
            Place(*displaced(y, dy, self.height), *displaced(x, dx, self.width))
            for dy, dx in self.load_offsets(left, pixel, live)
        ]
        samples = [self.interpolate(plane, place) for plane, place in enumerate(places)]
        if self.variant.mask_kind is not MaskKind.NONE:
            masks = [self.load_mask(pixel, plane, live) for plane in range(len(places))]
            samples = [sample * mask for sample, mask in zip(samples, masks, strict=True)]
        self.store(samples, left, live)

    def interpolate(self, plane: int, place: Place) -> Vector:
        """Return a plane between the four corners around a place."""
        upper, lower = (
            (beside - here).fma(place.right, here) for here, beside in self.planes.corners(self.n, plane, place)
        )
        return (lower - upper).fma(place.below, upper)

    def load_offsets(self, left: Any, pixel: Any, live: Vector) -> list[tuple[Vector, Vector]]:
        """Return dy and dx of each plane."""
        if self.variant.block > 1:
            channels = self.load_cells(left)
            return list(zip(channels[::2], channels[1::2], strict=True))
        kernel = self.kernel
        step = kernel.lane_numbers() * kernel.splat(kernel["offset_channels"])
        first = kernel.add(kernel.mul(pixel, kernel["offset_channels"]), kernel["offset_start"])
        pairs = []
        for plane in range(self.variant.n_planes):
            address = kernel.at("offset", kernel.add(first, 2 * plane), self.tap_bytes)
            if self.variant.are_taps_bfloat16:
                pair = kernel.gather(I32, address, step, live, I16)
                pairs.append(((pair << 16).bits(), (pair & HIGH_HALF).bits()))
            else:
                pairs.append((kernel.gather(F32, address, step, live), kernel.gather(F32, address, step + 1, live)))
        return pairs

    def load_cells(self, left: Any) -> list[Vector]:
        """Return the channels of depth_to_space(offset): rows of a cell's pixels are neighbours among its channels."""
        kernel, block = self.kernel, self.variant.block
        (cell_row, y), (cell, x) = kernel.divmod(self.row, block), kernel.divmod(left, block)
        cells = kernel.divmod(kernel["width"], block)[0]
        first_cell = kernel.mul(cell_row, cells)
        within = kernel.add(kernel.add(kernel["offset_start"], kernel.mul(y, block)), x)
        starts = []
        for i in range(max(1, kernel.lanes // block)):
            # the last vector may reach past the last cell, with lanes that are not live
            here = kernel.minimum(kernel.add(cell, i), kernel.sub(cells, 1))
            starts.append(kernel.add(kernel.mul(kernel.add(first_cell, here), kernel["offset_channels"]), within))
        channels = []
        for channel in range(2 * self.variant.n_planes):
            parts = [kernel.at("offset", kernel.add(start, channel * block**2), self.tap_bytes) for start in starts]
            if self.variant.are_taps_bfloat16:
                channels.append((kernel.load_parts(I16, parts) << 16).bits())
            else:
                channels.append(kernel.load_parts(F32, parts))
        return channels

    def load_mask(self, pixel: Any, plane: int, live: Vector) -> Vector:
        """Return the factors of one plane."""
        kernel = self.kernel
        first = kernel.add(kernel.mul(pixel, kernel["mask_channels"]), kernel.add(kernel["mask_start"], plane))
        step = kernel.lane_numbers() * kernel.splat(kernel["mask_channels"])
        if self.variant.are_taps_bfloat16:
            mask = halves_at(kernel["mask"], kernel.splat(first) + step, live)
        else:
            mask = kernel.gather(F32, kernel.at("mask", first, self.tap_bytes), step, live)
        return sigmoid(mask) if self.variant.mask_kind is MaskKind.LOGITS else mask

    def store(self, samples: list[Vector], left: Any, live: Vector) -> None:
        """Write the planes one after the other, or the channels of each pixel side by side."""
        kernel, n_planes = self.kernel, len(samples)
        if not self.variant.is_warped_planar:
            self.write(samples, kernel.mul(kernel.add(self.first_pixel, left), n_planes), live)
            return
        for plane, sample in enumerate(samples):
            plane_row = kernel.mul(kernel.add(kernel.mul(self.n, n_planes), plane), kernel["height"])
            place = kernel.add(kernel.mul(kernel.add(plane_row, self.y), kernel["width"]), left)
            self.write([sample], place, live)

    def write(self, samples: list[Vector], place: Any, live: Vector) -> None:
        """Write samples side by side, lane by lane, from an element of the result on."""
        kernel, address = self.kernel, self.kernel.at("warped", place, self.tap_bytes)
        if not self.variant.are_taps_bfloat16:
            kernel.store_interleaved(F32, samples, address, live)
            return
        halves = [bfloat16_bits(sample) for sample in samples]
        if len(halves) % 2:
            kernel.store_interleaved(I16, [half >> 16 for half in halves], address, live)
        else:
            words = [(low >> 16) | (high & HIGH_HALF) for low, high in zip(halves[::2], halves[1::2], strict=True)]
            kernel.store_interleaved(I32, words, address, live)
