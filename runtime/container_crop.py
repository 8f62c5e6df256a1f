"""A picture that its container cuts when it is shown: MP4's clean aperture, Matroska's PixelCrop.

FFmpeg's decoders show it whole, and so it is enhanced and written. What the bitstream itself crops never comes here.
"""

import struct
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from runtime.matroska_elements import pixel_crop
from runtime.mp4_boxes import sample_boxes

Size = tuple[int, int]
_APERTURE = struct.Struct(">8I")  # width, height and two offsets of its centre, each a numerator and a denominator


def container_crop(container: InputContainer, stream: VideoStream) -> Size | None:
    """Return the width and height that a container leaves of a video's pictures; None: all, or it doesn't tell."""
    path, whole = Path(container.name), (stream.width, stream.height)
    if not path.is_file():  # a pipe can't be read twice
        return None
    if "mp4" in container.format.name:
        left = _clean_aperture(sample_boxes(path, stream.id).get(b"clap", b""), whole)
    elif "matroska" in container.format.name:
        left = _within(pixel_crop(path, container.streams.video.index(stream)), whole)
    else:
        return None
    return None if left == whole else left


def _clean_aperture(box: bytes, whole: Size) -> Size:
    if len(box) < _APERTURE.size:
        return whole
    width, per_width, height, per_height, *_ = _APERTURE.unpack_from(box)
    return (width // per_width, height // per_height) if per_width and per_height else whole


def _within(crop: tuple[int, int, int, int], whole: Size) -> Size:
    left, top, right, bottom = crop
    return whole[0] - left - right, whole[1] - top - bottom
