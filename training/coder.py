"""Pictures to a coded file in memory, and back."""

import io
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cvqe.errors import InputError
from runtime.input_file import open_container, video_stream
from training.coding import Coding
from training.x265_settings import CONFIGURATIONS, x265_params

__all__ = ["CONFIGURATIONS", "decode_pictures", "encode", "encode_hevc", "frame_rate", "x265_params"]

# without it, Matroska puts a random number into every file
SAME_BYTES = {"fflags": "+bitexact"}
USUAL_RATE = Fraction(25)


def encode_hevc(
    pictures: Iterable[av.VideoFrame], rate: Fraction, configuration: str, qp: int, container: str = "matroska"
) -> bytes:
    """Code pictures with x265 to a file in memory; as encode(), with all pictures held at once."""
    held = list(pictures)
    return encode(held, rate, Coding(configuration, qp), len(held), container)


def encode(
    pictures: Iterable[av.VideoFrame],
    rate: Fraction,
    coding: Coding,
    n_frames: int,
    container: str = "matroska",
    tags: Mapping[str, str] | None = None,
) -> bytes:
    """Code pictures to a file in memory, in their order; the same pictures give the same bytes.

    Between machines the bytes may differ in one place: the message in the header where x265 tells its parameters
    also names the CPU's instruction sets. The coded pictures do not differ.

    Args:
        pictures: of one size and one of the encoder's formats; their pts and frame types are overwritten.
        rate: frames per second; frame n is shown at n / rate.
        coding: how.
        n_frames: how many pictures there are; the QPs of `ldp-hm` depend on it.
        container: FFmpeg's name of the muxer.
        tags: written into the container.

    Raises:
        InputError: there is no picture.
        av.FFmpegError: the encoder refuses size or format.
    """
    remaining = iter(pictures)
    first = next(remaining, None)
    if first is None:
        raise InputError("there is no picture to code; give at least one.")
    memory = io.BytesIO()
    with av.open(memory, "w", format=container, container_options=dict(SAME_BYTES)) as file:
        file.metadata.update(tags or {})
        stream = file.add_stream(coding.encoder, rate=rate)
        assert isinstance(stream, VideoStream)
        if container == "mp4" and coding.codec == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # mp4's other tag, hev1, does not play in QuickTime
        stream.options = dict(coding.options(n_frames))
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        for number, picture in enumerate(chain([first], remaining)):
            # type 0: else the encoder would repeat the source's choice of I and P
            picture.pts, picture.time_base, picture.pict_type = number, 1 / rate, 0
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return memory.getvalue()


def decode_pictures(source: Path | io.BytesIO) -> Iterator[av.VideoFrame]:
    """Yield every picture of a file's video stream.

    Raises:
        InputError: the file can't be read as a video, or one of its pictures does not decode.
    """
    name = str(source) if isinstance(source, Path) else "the file in memory"
    with _opened(source) as container:
        stream = video_stream(container, Path(name))
        stream.thread_type = "AUTO"
        try:
            yield from container.decode(stream)
        except av.FFmpegError as error:
            raise InputError(f"{name} is damaged ({error.strerror}); make or copy it again.") from error


def frame_rate(path: Path) -> Fraction:
    """Return a file's nominal frame rate, 25 where it states none.

    Raises:
        InputError: the file can't be read as a video.
    """
    with open_container(path) as container:
        return video_stream(container, path).average_rate or USUAL_RATE


def _opened(source: Path | io.BytesIO) -> InputContainer:
    return open_container(source) if isinstance(source, Path) else av.open(source, "r")
