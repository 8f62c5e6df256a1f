"""What is known about a video before the first frame is enhanced."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from cvqe.frame import Frame
from cvqe.pixel_format import bit_depth
from runtime.color_tags import ColorTags, chroma_location, color_tags
from runtime.container_crop import container_crop
from runtime.dolby_vision import METADATA, DolbyVision, dolby_vision
from runtime.field_order import BOTTOM_FIRST, TOP_FIRST, field_order
from runtime.hdr10 import Hdr10, hdr10
from runtime.pts_repair import USUAL_TIME_BASE, average_rate
from runtime.side_data import side_data

_PROGRESSIVE = 1
_FROM_TOP_FIELD = (TOP_FIRST, 5)  # 5: the bottom field is stored first, the top field is shown first
_DYNAMIC_HDR = {"DYNAMIC_HDR_PLUS": "HDR10+", METADATA: "Dolby Vision", "DYNAMIC_HDR_VIVID": "HDR Vivid"}


@dataclass(frozen=True)
class VideoInfo:
    """One video stream as its container and its first picture describe it.

    Attributes:
        width, height: of the pictures, after cropping, before rotation and aspect ratio.
        pixel_format: of the frames that items() yields; decoded_format is what the decoder gave.
        time_base: unit of pts, kept in the output; first_pts is the first picture's.
        average_rate: frames per second; a guess where the file says nothing.
        n_frames_claimed, duration_s: what the container says, often wrong; None where it says nothing.
        qp: median of the first frames' luma QP (picture_coding.py), None where the bitstream doesn't tell.
        rotation_deg: counter-clockwise, for showing; display_matrix is the whole truth, flips included.
        field_order: TOP_FIRST or BOTTOM_FIRST of field_order.py, None where every picture is of one moment.
        is_field_sequence: every picture is one field, those of both parities in turn.
        dynamic_hdr: kinds of metadata that describe the pixels frame by frame, by name ("HDR10+").
        shown_size: width and height that the container leaves of the picture when it is shown; None: all.
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
    first_pts: int
    average_rate: Fraction
    n_frames_claimed: int | None
    duration_s: float | None
    color: ColorTags
    sample_aspect_ratio: Fraction | None
    rotation_deg: int
    display_matrix: tuple[int, ...] | None
    field_order: int | None
    is_field_sequence: bool
    qp: float | None
    hdr10: Hdr10 | None = None
    n_other_streams: int = 0
    dynamic_hdr: tuple[str, ...] = field(default=())
    dolby_vision: DolbyVision | None = None
    shown_size: tuple[int, int] | None = None

    @property
    def color_range(self) -> str | None:
        """Say "limited" or "full", or None when the file doesn't."""
        return self.color.color_range

    @property
    def is_interlaced(self) -> bool:
        """Whether a frame is woven of two fields, each of another moment."""
        return self.field_order is not None


def video_info(
    container: InputContainer, stream: VideoStream, frames: Sequence[Frame], decoded_format: str
) -> VideoInfo:
    """Describe a stream by its container and its first frames, already in their enhanceable format."""
    context, picture = stream.codec_context, frames[0].picture
    told = dolby_vision(container, stream, picture)
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
        first_pts=frames[0].pts,
        average_rate=average_rate(stream),
        n_frames_claimed=stream.frames or None,
        duration_s=_duration_s(container, stream),
        color=color_tags(picture, context, chroma_location(container, stream.index)),
        # MPEG-TS tells it with the first picture alone
        sample_aspect_ratio=stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or None,
        rotation_deg=picture.rotation,
        display_matrix=_display_matrix(picture),
        field_order=_field_order(context, frames),
        is_field_sequence=_is_field_sequence(context, frames),
        qp=_median_qp(frames),
        hdr10=hdr10(picture),
        n_other_streams=len(container.streams) - 1,
        dynamic_hdr=_dynamic_hdr(picture, told),
        dolby_vision=told,
        shown_size=container_crop(container, stream),
    )


def _is_field_sequence(context: VideoCodecContext, frames: Sequence[Frame]) -> bool:
    """Tell fields that come as pictures of their own, as HEVC's do."""
    return context.codec.canonical_name == "hevc" and any(frame.picture.interlaced_frame for frame in frames)


def _field_order(context: VideoCodecContext, frames: Sequence[Frame]) -> int | None:
    """Believe the pictures, and the container where they say nothing."""
    if _is_field_sequence(context, frames):
        return None
    interlaced = [frame.picture for frame in frames if frame.picture.interlaced_frame]
    if interlaced:
        return field_order(interlaced[0])
    if context.field_order <= _PROGRESSIVE:
        return None
    return TOP_FIRST if context.field_order in _FROM_TOP_FIELD else BOTTOM_FIRST


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


def _dynamic_hdr(picture: av.VideoFrame, told: DolbyVision | None) -> tuple[str, ...]:
    found = {name for name in _DYNAMIC_HDR if side_data(picture, name) is not None}
    if told is not None:  # a decoder need not know how to read it
        found.add(METADATA)
    return tuple(label for name, label in _DYNAMIC_HDR.items() if name in found)
