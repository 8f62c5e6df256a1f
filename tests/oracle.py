"""An independent look at a file, through plain PyAV: what a player would find in it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.stream import AttachmentStream, Stream

from tests.media import Shown, frames_of, packets_of

Packets = list[tuple[Fraction, bytes]]  # start in seconds, content


@dataclass(frozen=True)
class Look:
    """What a file holds.

    Attributes:
        frames: of the first video, in the order of showing.
        audio: packets of each track.
        tags: of the first video: colours, sample aspect ratio, rotation.
        languages: of all streams that may have one, with their kind, in order.
        chapters: start and end in seconds, and title.
        attachments: name and content.
    """

    frames: list[Shown]
    audio: list[Packets]
    tags: dict[str, object]
    languages: list[tuple[str, str | None]]
    chapters: list[tuple[Fraction, Fraction, str | None]]
    attachments: list[tuple[str | None, bytes]]

    @property
    def times_s(self) -> list[Fraction]:
        """When each frame is shown."""
        return [frame.time_s for frame in self.frames]


def look_at(path: Path) -> Look:
    """Read a whole file with one thread."""
    with av.open(str(path)) as container:
        streams = [each for each in container.streams if not isinstance(each, AttachmentStream)]
        return Look(
            frames=frames_of(path),
            audio=list(packets_of(path, "audio").values()),
            tags=_tags(path),
            languages=[(each.type, each.language) for each in streams if each.type != "data"],
            chapters=list(_chapters(container)),
            attachments=list(_attachments(container.streams)),
        )


def times_of(path: Path) -> list[Fraction]:
    """When each frame of the first video is shown, in seconds; what doesn't decode or has no pts is left out."""
    times_s = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with contextlib.suppress(av.FFmpegError):
                times_s += [frame.pts * frame.time_base for frame in packet.decode() if frame.pts is not None]
    return times_s


def _tags(path: Path) -> dict[str, object]:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        picture = next(container.decode(video=0))
        colors = ("color_range", "colorspace", "color_primaries", "color_trc")
        return {
            **{name: getattr(picture, name) for name in colors},
            "sample_aspect_ratio": context.sample_aspect_ratio or Fraction(1),
            "rotation_deg": picture.rotation % 360,
            "size": (picture.width, picture.height),
        }


def _chapters(container: "av.container.InputContainer") -> Iterator[tuple[Fraction, Fraction, str | None]]:
    for each in container.chapters():
        clock = each["time_base"]
        assert clock is not None
        yield each["start"] * clock, each["end"] * clock, each["metadata"].get("title")


def _attachments(streams: "tuple[Stream, ...]") -> Iterator[tuple[str | None, bytes]]:
    for each in streams:
        if isinstance(each, AttachmentStream):
            yield each.name, each.data
