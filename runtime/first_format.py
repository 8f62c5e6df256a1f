"""One size and pixel format from beginning to end: what changes on the way becomes as the first frame was."""

from dataclasses import replace

import av
from av.video.reformatter import Interpolation

from cvqe.frame import Frame
from runtime.color_tags import FULL, LIMITED
from runtime.counted_frames import counted_frames
from runtime.video_info import VideoInfo

# libswscale's numbers of the matrices that it knows; to it both names of BT.601's are one
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_ANY_MATRIX = 1
_THREADS_THAT_AGREE = 1  # as for planar_picture.py


class FirstFormat:
    """Converts frames that differ from the first one; a window must not reach from one format into another.

    Attributes:
        n_changed: frames converted so far.
    """

    def __init__(self, info: VideoInfo) -> None:
        self.n_changed = 0
        self._info = info
        self._first = self._last = (info.width, info.height, info.pixel_format)
        self._changed: dict[tuple[int, int, str], None] = {}
        self._changed_at = 0

    @property
    def note(self) -> str | None:
        """Say what was converted, if anything was."""
        if not self.n_changed:
            return None
        others = " and ".join(_named(shape) for shape in self._changed)
        verbs = ("is", "was") if self.n_changed == 1 else ("are", "were")
        did = "scaled" if any(shape[:2] != self._first[:2] for shape in self._changed) else "converted"
        return (
            f"{counted_frames(self.n_changed)} from frame {self._changed_at} on {verbs[0]} {others} "
            f"and {verbs[1]} {did} to {_named(self._first)}, like the first"
        )

    def change(self, frame: Frame) -> tuple[str, str] | None:
        """Name the first format and this frame's, where they differ."""
        shape = _shape(frame.picture)
        return None if shape == self._first else (_named(self._first), _named(shape))

    def fit(self, frame: Frame) -> Frame:
        """Return the next frame in the first one's size and pixel format, marked where the decoded ones change."""
        shape = _shape(frame.picture)
        if shape != self._last:
            frame = replace(frame, follows_gap=True)
            self._last = shape
        if shape == self._first:
            return frame
        self._count(frame.number, shape)
        frame = replace(frame, picture=_converted(frame.picture, self._info))
        if shape[:2] == self._first[:2]:
            return frame
        return replace(frame, partition=None, partition_obstacle="the frame was scaled")

    def _count(self, number: int, shape: tuple[int, int, str]) -> None:
        if not self.n_changed:
            self._changed_at = number
        self.n_changed += 1
        self._changed[shape] = None


def _shape(picture: av.VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


def _named(shape: tuple[int, int, str]) -> str:
    return "{}x{} {}".format(*shape)


def _converted(picture: av.VideoFrame, info: VideoInfo) -> av.VideoFrame:
    """Scale a picture, its colours meant as the first one's: what isn't told of it is taken as the same."""
    color = info.color
    source_matrix, matrix = _matrices(picture.colorspace, color.space)
    first_range = _range(info.pixel_format, color.range, LIMITED)
    copy = picture.reformat(
        info.width,
        info.height,
        info.pixel_format,
        src_colorspace=source_matrix,
        dst_colorspace=matrix,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
        src_color_range=_range(picture.format.name, picture.color_range, first_range),
        dst_color_range=first_range,
        threads=_THREADS_THAT_AGREE,
    )
    copy.colorspace, copy.color_range = color.space, color.range
    return copy


def _matrices(source: int, first: int) -> tuple[int, int]:
    """Give the matrices to convert between; two that are equal where there is nothing to convert, or no way to."""
    if source in _MATRICES and first in _MATRICES:
        return _MATRICES[source], _MATRICES[first]
    return _ANY_MATRIX, _ANY_MATRIX


def _range(pixel_format: str, told: int, untold: int) -> int:
    return FULL if pixel_format.startswith("yuvj") else told or untold
