"""Dolby Vision: what a file says of its profile, and whether its pictures can be shown without the metadata."""

import struct
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cvqe.errors import InputError
from runtime.matroska_elements import block_additions
from runtime.mp4_boxes import sample_boxes
from runtime.side_data import side_data

METADATA = "DOVI_METADATA"  # FFmpeg's name of what stands with every picture
_RECORDS = (b"dvcC", b"dvvC", b"dvwC")  # profiles up to 7, 8 to 10, and later ones
_TAGS = {"dvh1", "dvhe", "dva1", "dvav", "dav1"}  # samples that only a player of Dolby Vision should open
_OWN_COLORS = 5  # all of this profile's pictures are in IPTPQc2
_WITH_OR_WITHOUT_BASE = (10, 20)


@dataclass(frozen=True)
class DolbyVision:
    """Which one a video is; both numbers None where that is not told.

    Attributes:
        profile: 4, 5, 7, 8, 9, 10 or 20.
        compatibility: what its pictures are without the metadata: 1, 6 HDR10, 2 SDR, 4 HLG, 0 none of these.
    """

    profile: int | None = None
    compatibility: int | None = None

    @property
    def has_own_colors(self) -> bool:
        """Whether the pictures are right with the metadata alone."""
        return self.profile == _OWN_COLORS or (self.profile in _WITH_OR_WITHOUT_BASE and not self.compatibility)


def dolby_vision(
    container: InputContainer, stream: VideoStream, picture: av.VideoFrame | None = None
) -> DolbyVision | None:
    """Find out what a video says of its Dolby Vision; None where it says nothing.

    MP4, QuickTime and Matroska files have a record of it, which FFmpeg reads and PyAV does not hand on. Of other files
    the metadata itself tells, where the first picture is decoded already and its decoder knows it.
    """
    record = _record(container, stream)
    if len(record) >= 5:
        # versions: 2 bytes; profile: 7 bits, level: 6, three flags; compatibility: 4
        return DolbyVision(record[2] >> 1, record[4] >> 4)
    metadata = None if picture is None else side_data(picture, METADATA)
    if metadata is not None:
        return DolbyVision(_OWN_COLORS, 0) if _is_of_own_colors(metadata) else DolbyVision()
    return DolbyVision() if stream.codec_context.codec_tag in _TAGS else None


def check_colors(name: str, found: DolbyVision | None) -> None:
    """Refuse a video whose colours would be wrong in any output.

    Raises:
        InputError: its pictures need the metadata, which describes them pixel by pixel and can't be kept.
    """
    if found is not None and found.has_own_colors:
        raise InputError(
            f"{name} is Dolby Vision of profile {found.profile}: without its metadata, which can't be kept, its "
            "pictures have wrong colours (green and purple). A compatible video was expected, like profile 7 or 8: "
            "take the HDR10 or SDR version, or convert it to one first"
        )


def _is_of_own_colors(metadata: bytes) -> bool:
    """Tell profile 5 as FFmpeg does, from the header in its AVDOVIMetadata: the only one in full range."""
    (start,) = struct.unpack_from("=Q", metadata)
    _, _, rpu_profile, *_, is_full_range = struct.unpack_from("=BxH7B", metadata, start)
    return rpu_profile == 0 and bool(is_full_range)


def _record(container: InputContainer, stream: VideoStream) -> bytes:
    path = Path(container.name)
    if not path.is_file():  # a pipe can't be read twice
        return b""
    if "mp4" in container.format.name:
        found = sample_boxes(path, stream.id)
    elif "matroska" in container.format.name:
        found = block_additions(path, container.streams.video.index(stream))
    else:
        found = {}
    return next((found[name] for name in _RECORDS if name in found), b"")
