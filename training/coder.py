"""HEVC as the papers code it: one x265 parameter string per configuration, checked on the bits."""

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av

from cvqe.errors import UsageError

# flat QP, one reference structure, no adaptive quantisation: a network learns the codec, not its rate control
CONFIGURATIONS = {
    "ldp": "qp={qp}:bframes=0:keyint=-1:scenecut=0:ref=4:ipratio=1:aq-mode=0:cutree=0",
    "ai": "qp={qp}:keyint=1:bframes=0:ipratio=1:aq-mode=0",
    "ra": "qp={qp}:keyint=32:min-keyint=32:bframes=7:b-adapt=0:b-pyramid=1:scenecut=0:open-gop=1:aq-mode=0:cutree=0",
}


def x265_params(configuration: str, qp: int) -> str:
    """Return the x265 parameters of one configuration (`ldp` low-delay P, `ai` all-intra, `ra` random access).

    Raises:
        UsageError: a configuration that is not in the table.
    """
    if configuration not in CONFIGURATIONS:
        raise UsageError(f"no configuration {configuration!r}; choose one of {', '.join(CONFIGURATIONS)}.")
    # no thread pool: the same bits on every machine
    return CONFIGURATIONS[configuration].format(qp=qp) + ":log-level=none:frame-threads=1:pools=none"


def encode_hevc(
    pictures: Iterable[av.VideoFrame], rate: Fraction, configuration: str, qp: int, container: str = "matroska"
) -> bytes:
    """Code pictures of one size and format to a file in memory, in their order."""
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as file:
        stream = file.add_stream("libx265", rate=rate)
        if container == "mp4":
            stream.codec_context.codec_tag = "hvc1"  # mp4's other tag, hev1, does not play in QuickTime
        stream.options = {"preset": "medium", "x265-params": x265_params(configuration, qp)}
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.width, stream.height = picture.width, picture.height
                stream.pix_fmt = picture.format.name
            # type 0: else x265 would repeat the source's choice of I and P
            picture.pts, picture.time_base, picture.pict_type = number, 1 / rate, 0
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return memory.getvalue()


def decode_pictures(source: Path | io.BytesIO) -> Iterable[av.VideoFrame]:
    """Yield every picture of a file's video stream."""
    with av.open(source if isinstance(source, io.BytesIO) else str(source), "r") as container:
        container.streams.video[0].thread_type = "AUTO"
        yield from container.decode(video=0)


def frame_rate(path: Path) -> Fraction:
    """Return a file's nominal frame rate, 25 where it states none."""
    with av.open(str(path)) as container:
        return container.streams.video[0].average_rate or Fraction(25)
