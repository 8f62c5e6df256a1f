"""Which field of an interlaced frame is shown first: its decoder knows, PyAV does not say."""

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from cvqe.frame import luma_view

TOP_FIRST, BOTTOM_FIRST = 2, 3  # FFmpeg's AV_FIELD_TT and AV_FIELD_BB


def field_order(picture: av.VideoFrame) -> int:
    """Return TOP_FIRST or BOTTOM_FIRST for a frame of two fields, of a format with a luma plane.

    A filter of FFmpeg's hands out the fields in their order; where both look alike, or the height is odd, which it
    does not take, TOP_FIRST.
    """
    if picture.height % 2:
        return TOP_FIRST
    first = luma_view(_first_field(picture))
    return TOP_FIRST if np.array_equal(first, luma_view(picture)[::2]) else BOTTOM_FIRST


def _first_field(picture: av.VideoFrame) -> av.VideoFrame:
    graph = Graph()
    graph.threads = 1
    time_base = picture.time_base or Fraction(1)
    source = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=time_base)
    separate, sink = graph.add("separatefields"), graph.add("buffersink")
    source.link_to(separate)
    separate.link_to(sink)
    graph.configure()
    for _ in range(2):  # it waits for a second frame to know how long a field is shown
        graph.push(picture)
    field = graph.pull()
    assert isinstance(field, av.VideoFrame)
    return field
