"""A finished file read back before it gets its name: as many frames as were written, as long, and it plays."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cvqe.errors import CvqeError

# Matroska's clock; MPEG-TS' and those of MP4 tracks are finer
COARSEST_TICK = Fraction(1, 1000)
# MPEG-TS is cut into packets anew when it is read: sound need not come in the same ones
KEEPS_PACKETS = frozenset({"mp4", "mov", "matroska", "webm"})


@dataclass
class Written:
    """What went into a file: its frames, how long they last, and the packets of each stream by its index."""

    video_index: int
    n_frames: int = 0
    first_s: Fraction | None = None
    last_s: Fraction = Fraction(0)
    n_packets: Mapping[int, int] = field(default_factory=dict)
    n_refused: int = 0  # packets that the muxer didn't take

    @property
    def span_s(self) -> Fraction:
        """From the first frame's time stamp to the last one's."""
        return self.last_s - (self.first_s or 0)

    def see_frame(self, time_s: Fraction) -> None:
        """Take note of a frame."""
        self.n_frames += 1
        self.first_s = time_s if self.first_s is None else self.first_s
        self.last_s = time_s


def check_written(path: Path, container_format: str, written: Written) -> None:
    """Read a file and compare it with what was written into it.

    Raises:
        CvqeError: something is missing, or its end doesn't decode; the file stays as it is.
    """
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as container:
            missing = _missing(container, container_format, written)
    except av.FFmpegError as error:
        missing = f"it can't be read back ({error.strerror})"
    if missing:
        raise CvqeError(
            f"{path} was written, but {missing}; it keeps this name for a look. Another container may help:  -o out.mkv"
        )


def _missing(container: InputContainer, container_format: str, written: Written) -> str | None:
    video = container.streams[written.video_index]
    found, n_packets = _read(container, video)
    if found.n_frames != written.n_frames:
        return f"{found.n_frames} of its {written.n_frames} frames can be read back"
    if abs(found.span_s - written.span_s) > COARSEST_TICK:
        return f"its frames last {float(found.span_s):.3f} s, not {float(written.span_s):.3f} s"
    for stream in container.streams.audio:
        n_read, n_written = n_packets[stream.index], written.n_packets[stream.index]
        if n_read < n_written - written.n_refused if container_format in KEEPS_PACKETS else n_written and not n_read:
            return f"{n_read} of the {n_written} packets of its sound (stream {stream.index}) can be read back"
    return _unplayable(video, found)


@dataclass
class _Found:
    """What a file's video holds; stamps in units of its clock."""

    clock: Fraction
    n_frames: int = 0
    first: int = 0
    last: int = 0
    tail: "list[Packet[Stream]]" = field(default_factory=list)  # from the last key frame on

    @property
    def span_s(self) -> Fraction:
        return (self.last - self.first) * self.clock

    def see(self, packet: "Packet[Stream]", pts: int) -> None:
        self.first = min(pts, self.first) if self.n_frames else pts
        self.last = max(pts, self.last) if self.n_frames else pts
        if packet.is_keyframe:
            self.tail = []
        self.tail.append(packet)
        self.n_frames += 1


def _read(container: InputContainer, video: Stream) -> tuple[_Found, Counter[int]]:
    """Look at every packet; return what the video holds, and how many packets each stream has."""
    assert video.time_base is not None
    found, n_packets = _Found(video.time_base), Counter[int]()
    for packet in container.demux():
        if not packet.size:
            continue
        n_packets[packet.stream.index] += 1
        if packet.stream.index == video.index and packet.pts is not None:
            found.see(packet, packet.pts)
    return found, n_packets


def _unplayable(video: Stream, found: _Found) -> str | None:
    """Decode from the last key frame to the end; no seeking, for not every container has an index."""
    assert isinstance(video, VideoStream)
    shown = [frame.pts for packet in [*found.tail, None] for frame in video.codec_context.decode(packet)]
    return None if found.last in shown else "its last frames don't decode"
