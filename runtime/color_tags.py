"""How colours are meant: range, matrix, primaries, transfer, chroma siting, as FFmpeg numbers them."""

import re
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

UNSPECIFIED = 2
LIMITED, FULL = 1, 2
_RANGES = {LIMITED: "limited", FULL: "full"}


@dataclass(frozen=True)
class ColorTags:
    """Tags of one video; 2 is "unspecified" for space, primaries and trc, 0 for range."""

    range: int = 0
    space: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    trc: int = UNSPECIFIED
    chroma_location: str | None = None

    @property
    def color_range(self) -> str | None:
        """Say "limited" or "full", or None when the file doesn't."""
        return _RANGES.get(self.range)

    def apply(self, context: VideoCodecContext) -> None:
        """Write the tags into an encoder that isn't open yet."""
        context.color_range = self.range
        context.colorspace = self.space
        context.color_primaries = self.primaries
        context.color_trc = self.trc
        if self.chroma_location is not None:
            context.options = {**context.options, "chroma_sample_location": self.chroma_location}


def color_tags(picture: av.VideoFrame, context: VideoCodecContext, chroma_location: str | None) -> ColorTags:
    """Read the tags of the first picture, and where it has none those of the container."""
    full_by_format = picture.format.name.startswith("yuvj")
    return ColorTags(
        range=FULL if full_by_format else picture.color_range or context.color_range,
        space=_specified(picture.colorspace, context.colorspace),
        primaries=_specified(picture.color_primaries, context.color_primaries),
        trc=_specified(picture.color_trc, context.color_trc),
        chroma_location=chroma_location,
    )


def chroma_location(container: InputContainer, stream_index: int) -> str | None:
    """Find where chroma samples sit ("left", "topleft", ...), which PyAV tells only in its log of the whole file."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.VERBOSE)
    av.logging.set_libav_level(av.logging.VERBOSE)
    try:
        dump: str = container.dumps_format()  # type: ignore[attr-defined]  # missing in PyAV's stubs
    finally:
        av.logging.set_libav_level(av.logging.INFO)
        av.logging.set_level(level)
    found = re.search(
        rf"Stream #0:{stream_index}\b.*: Video: .*[(,] ?((?:top|bottom)?left|center|top|bottom)[,)]", dump
    )
    return found[1] if found else None


def _specified(first: int, second: int) -> int:
    return first if first != UNSPECIFIED else second
