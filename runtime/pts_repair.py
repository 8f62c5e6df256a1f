"""Time stamps that a muxer accepts: every frame has one, and each is later than the last."""

import math
from fractions import Fraction

import av
from av.video.stream import VideoStream

USUAL_TIME_BASE = Fraction(1, 90_000)
USUAL_RATE = Fraction(25)  # FFmpeg's own guess for streams without time stamps


def average_rate(stream: VideoStream) -> Fraction:
    """Give a stream's frames per second, guessed where the file doesn't say."""
    return stream.average_rate or stream.guessed_rate or USUAL_RATE


class PtsRepair:
    """Give each picture in turn a pts, changing as few as possible; n_repaired counts them.

    A missing pts is taken from the packet's dts if that is later than the last frame, and else counted up by the
    average rate. A pts that isn't later than the last one becomes the next tick.
    """

    def __init__(self, time_base: Fraction, average_rate: Fraction) -> None:
        self.n_repaired = 0
        self._time_base = time_base
        self._step = 1 / (average_rate * time_base)
        self._last: int | None = None
        self._due = Fraction(0)  # when the next frame comes if it doesn't say

    @classmethod
    def for_stream(cls, stream: VideoStream) -> "PtsRepair":
        """Take time base and average rate from a stream, and usual ones where it has none."""
        return cls(stream.time_base or USUAL_TIME_BASE, average_rate(stream))

    def stamp(self, picture: av.VideoFrame) -> None:
        """Write pts and time_base of the next picture in the order of showing."""
        pts = self._repaired(picture)
        self.n_repaired += pts != picture.pts
        # counting keeps the fraction of a tick: 29.97 frames/s in a coarse time base must not drift
        self._due = (self._due if pts == math.floor(self._due) else Fraction(pts)) + self._step
        self._last = picture.pts = pts
        picture.time_base = self._time_base

    def _repaired(self, picture: av.VideoFrame) -> int:
        if picture.pts is not None:
            return picture.pts if self._is_later(picture.pts) else self._next_tick
        if picture.dts is not None and self._is_later(picture.dts):
            return picture.dts
        return max(math.floor(self._due), self._next_tick)

    def _is_later(self, pts: int) -> bool:
        return self._last is None or pts > self._last

    @property
    def _next_tick(self) -> int:
        return 0 if self._last is None else self._last + 1
