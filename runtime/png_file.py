"""PNG files by FFmpeg's own encoder: no library for images has to be installed."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from cvqe.errors import CvqeError
from cvqe.whole_file import write_whole


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """Encode uint8 [H, W, 3] as a PNG file."""
    context = av.CodecContext.create("png", "w")
    assert isinstance(context, VideoCodecContext)
    context.height, context.width = rgb.shape[:2]
    context.pix_fmt, context.time_base = "rgb24", Fraction(1)
    context.options = {"pred": "mixed"}  # smaller by a quarter
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])


def save_png(rgb: NDArray[np.uint8], path: Path) -> None:
    """Write uint8 [H, W, 3] as a file, under its final name once it is whole.

    Raises:
        CvqeError: it can't be written; nothing is left behind.
    """
    content = png_bytes(rgb)
    try:
        write_whole(path, content)
    except OSError as error:
        raise CvqeError(f"{path} can't be written ({error.strerror}); write elsewhere with -o") from error
