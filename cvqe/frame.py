"""A decoded picture's luma as an array: looked at without a copy, put back without touching anything else.

picture.planes[0]   |Y Y Y Y Y Y . . |   line_size bytes a row, the dots are padding
                    |Y Y Y Y Y Y . . |
luma_view           [H, W] bytes, or [H, W, 2] little-endian byte pairs above 8 bit
"""

import time
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from cvqe.errors import ShapeError
from cvqe.partition import Partition
from cvqe.pixel_format import bit_depth, peak

Luma = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """A picture and its place in the video: `number` counts from 0 in the order pictures are shown.

    `qp` is the luma quantiser it was coded at, on the scale of H.264 and HEVC; None where the bitstream doesn't tell.
    `partition` is how its coder divided it, where that was asked for and could be read; else `partition_obstacle` may
    say why it could not, a few words. Where it `follows_gap`, frames are missing before it or were of another size, so
    no window may reach back. `arrived_s` is when its packet was read, by time.monotonic().
    """

    number: int
    picture: av.VideoFrame
    qp: float | None = None
    partition: Partition | None = None
    partition_obstacle: str | None = None
    follows_gap: bool = False
    arrived_s: float = field(default_factory=time.monotonic)

    @property
    def pts(self) -> int:
        """Time stamp in units of time_base; the decoder has seen to it that there is one."""
        assert self.picture.pts is not None
        return self.picture.pts

    @property
    def time_base(self) -> Fraction:
        """Length of one unit of pts, in seconds."""
        assert self.picture.time_base is not None
        return self.picture.time_base

    @property
    def pts_s(self) -> float:
        """Time stamp in seconds."""
        return float(self.pts * self.time_base)

    @property
    def duration_s(self) -> float:
        """How long the frame is shown, in seconds; 0 where the file doesn't say."""
        return float(self.picture.duration * self.time_base)

    @property
    def luma(self) -> Luma:
        """luma_view of the picture."""
        return luma_view(self.picture)

    @property
    def bit_depth(self) -> int:
        """Bits of one luma sample."""
        return bit_depth(self.picture.format.name)

    @property
    def peak(self) -> int:
        """Largest luma sample the format can hold."""
        return peak(self.picture.format.name)


def luma_shape(height: int, width: int, depth: int) -> tuple[int, ...]:
    """Give the shape of a luma array: [H, W] for 8 bit, [H, W, 2] for deeper."""
    return (height, width) if depth == 8 else (height, width, 2)


def luma_view(picture: av.VideoFrame) -> Luma:
    """View plane 0 of a picture without copying it.

    Args:
        picture: of a format that has_luma_plane (decoder.py yields no other).

    Returns:
        uint8 [H, W] for 8 bit, uint8 [H, W, 2] little-endian byte pairs for deeper. The memory is the picture's: the
        array keeps the picture alive, and is read-only because a decoder may still predict other frames from it.
    """
    view = _writable_luma(picture)
    view.flags.writeable = False
    return view


def with_luma(picture: av.VideoFrame, luma: Luma) -> av.VideoFrame:
    """Make a new picture with this luma and everything else of the old one.

    Chroma and alpha planes are copied bit for bit; pts, duration, time base, colour tags and side data (captions,
    HDR metadata) come along. The picture type does not: an encoder would take it for an order. The old picture
    stays as it was.

    Args:
        picture: the decoded one.
        luma: uint8 [H, W], or [H, W, 2] above 8 bit, any strides. Copied.

    Raises:
        ShapeError: luma has another shape or type.
    """
    expected = luma_shape(picture.height, picture.width, bit_depth(picture.format.name))
    if luma.shape != expected or luma.dtype != np.uint8:
        raise ShapeError(
            f"luma is {luma.dtype} {list(luma.shape)}; a {picture.format.name} picture takes uint8 {list(expected)}"
        )
    copy = _deep_copy(picture)
    _writable_luma(copy)[...] = luma
    copy.pict_type = 0
    return copy


def _writable_luma(picture: av.VideoFrame) -> Luma:
    plane = picture.planes[0]
    n_bytes = 1 if bit_depth(picture.format.name) == 8 else 2
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, abs(plane.line_size))
    # a negative line size stores the bottom row first
    rows = rows[:: -1 if plane.line_size < 0 else 1, : plane.width * n_bytes]
    return rows if n_bytes == 1 else rows.reshape(plane.height, plane.width, 2)


def _deep_copy(picture: av.VideoFrame) -> av.VideoFrame:
    """Copy planes, properties and side data: a pass-through filter shares the buffers, make_writable parts them."""
    time_base = picture.time_base or Fraction(1)
    graph = Graph()
    graph.threads = 1  # a pool of threads would take longer to start than the copy
    source = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=time_base)
    sink = graph.add("buffersink")
    source.link_to(sink)
    graph.configure()
    graph.push(picture)
    copy = graph.pull()
    assert isinstance(copy, av.VideoFrame)
    copy.make_writable()
    return copy
