"""What is known about a video before the first frame is enhanced."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cvqe.frame import Frame
from cvqe.pixel_format import bit_depth
from runtime.color_tags import ColorTags, chroma_location, color_tags
from runtime.hdr10 import Hdr10, hdr10
from runtime.pts_repair import USUAL_TIME_BASE, average_rate
from runtime.side_data import side_data

_PROGRESSIVE = 1


@dataclass(frozen=True)
class VideoInfo:
    """One video stream as its container and its first picture describe it.

    Attributes:
        width, height: of the pictures, after cropping, before rotation and aspect ratio.
        pixel_format: of the frames that items() yields; decoded_format is what the decoder gave.
        time_base: unit of pts, kept in the output.
        average_rate: frames per second; a guess where the file says nothing.
        n_frames_claimed, duration_s: what the container says, often wrong; None where it says nothing.
        qp: median of the first frames' luma QP (picture_coding.py), None where the bitstream doesn't tell.
        rotation_deg: counter-clockwise, for showing; display_matrix is the whole truth, flips included.
    """

    width: int
    height: int
    pixel_format: str
    decoded_format: str
    bit_depth: int
    codec: str
    container: str
    stream_index: int
    time_base: Fraction
    average_rate: Fraction
    n_frames_claimed: int | None
    duration_s: float | None
    color: ColorTags
    sample_aspect_ratio: Fraction | None
    rotation_deg: int
    display_matrix: tuple[int, ...] | None
    is_interlaced: bool
    qp: float | None
    hdr10: Hdr10 | None = None
    n_other_streams: int = 0
    dynamic_hdr: tuple[str, ...] = field(default=())

    @property
    def color_range(self) -> str | None:
        """Say "limited" or "full", or None when the file doesn't."""
        return self.color.color_range


def video_info(
    container: InputContainer, stream: VideoStream, frames: Sequence[Frame], decoded_format: str
) -> VideoInfo:
    """Describe a stream by its container and its first frames, already in their enhanceable format."""
    context, picture = stream.codec_context, frames[0].picture
    return VideoInfo(
        width=picture.width,
        height=picture.height,
        pixel_format=picture.format.name,
        decoded_format=decoded_format,
        bit_depth=bit_depth(picture.format.name),
        codec=context.codec.canonical_name,
        container=container.format.name,
        stream_index=stream.index,
        time_base=stream.time_base or USUAL_TIME_BASE,
        average_rate=average_rate(stream),
        n_frames_claimed=stream.frames or None,
        duration_s=_duration_s(container, stream),
        color=color_tags(picture, context, chroma_location(container, stream.index)),
        sample_aspect_ratio=stream.sample_aspect_ratio or None,
        rotation_deg=picture.rotation,
        display_matrix=_display_matrix(picture),
        is_interlaced=context.field_order > _PROGRESSIVE or any(each.picture.interlaced_frame for each in frames),
        qp=_median_qp(frames),
        hdr10=hdr10(picture),
        n_other_streams=len(container.streams) - 1,
        dynamic_hdr=_dynamic_hdr(picture),
    )


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _display_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    data = side_data(picture, "DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", data)


def _median_qp(frames: Sequence[Frame]) -> float | None:
    """Take the middle one, for the first picture of a video is coded finer than those after it."""
    qps = [frame.qp for frame in frames if frame.qp is not None]
    return median(qps) if qps else None


def _dynamic_hdr(picture: av.VideoFrame) -> tuple[str, ...]:
    names = {"DYNAMIC_HDR_PLUS": "HDR10+", "DOVI_METADATA": "Dolby Vision", "DYNAMIC_HDR_VIVID": "HDR Vivid"}
    return tuple(label for name, label in names.items() if side_data(picture, name) is not None)
