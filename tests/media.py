"""Small real media files for tests, written and read back with PyAV alone."""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

SAMPLE_RATE = 48_000
CAPTION = b"\x94\x2c"
CHAPTERS = [
    {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "Beginning"}},
    {"id": 2, "start": 200, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "Ende ü"}},
]
QUIET = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"preset": "10"}}
Draw = Callable[[int, tuple[int, int], str], av.VideoFrame]  # frame number, (width, height), pixel format


@dataclass(frozen=True)
class Color:
    """Colour tags by FFmpeg's numbers."""

    range: int = 0
    space: int = 2
    primaries: int = 2
    trc: int = 2


BT709 = Color(range=1, space=1, primaries=1, trc=1)
PQ = Color(range=1, space=9, primaries=9, trc=16)


@dataclass(frozen=True)
class Extras:
    """What a file holds besides one video."""

    audio: str | None = "aac"
    audio_start: int = 0  # in samples
    n_audio_tracks: int = 1
    subtitles: str | None = None
    attachment: bytes | None = None
    cover: bool = False
    second_video: bool = False
    second_is_default: bool = False
    chapters: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


SILENT = Extras(audio=None)


def make_video(
    path: Path,
    *,
    frames: int = 10,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 25,
    time_base: Fraction | None = None,
    pts_list: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    color: Color | None = None,
    sample_aspect_ratio: Fraction | None = None,
    rotation: int | None = None,
    muxer_options: dict[str, str] | None = None,
    extras: Extras = SILENT,
    draw: Draw | None = None,
) -> Path:
    """Write a moving pattern, or what `draw` draws, (width, height) pixels large, and what `extras` asks for.

    Stamps count in time_base.
    """
    rate = Fraction(rate)
    with av.open(str(path), "w", container_options=muxer_options) as container:
        video = _add_video(container, codec, size, pix_fmt, rate, time_base, options)
        _tag(video, color or Color(), sample_aspect_ratio, rotation)
        writers = list(_add_extras(container, extras, path))
        container.start_encoding()
        clock = video.codec_context.time_base
        stamps = pts_list if pts_list is not None else [round(n / rate / clock) for n in range(frames)]
        for write in writers:
            write(float(stamps[-1] * clock) + 1 / float(rate))
        for number, pts in enumerate(stamps):
            picture = (draw or pattern)(number, size, pix_fmt)
            picture.pts, picture.time_base = pts, clock
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    return path


def pattern(number: int, size: tuple[int, int], pix_fmt: str) -> av.VideoFrame:
    """Draw frame `number` of a drifting texture; every plane of every format gets samples of its own."""
    picture = av.VideoFrame(*size, pix_fmt)
    for index, plane in enumerate(picture.planes):
        n_bytes = plane.buffer_size // plane.height
        y, x = np.mgrid[: plane.height, :n_bytes]
        rows = (x // 2 * (3 + index) + y * 5 + number * 7) % 61 + 60 + 20 * index
        depth = max(component.bits for component in picture.format.components)
        if depth > 8:  # keep samples in range by their high bytes
            rows[:, (not picture.format.is_big_endian) :: 2] %= 1 << (depth - 8)
        plane.update(rows.astype(np.uint8).tobytes())
    return picture


def _add_video(
    container: OutputContainer,
    codec: str,
    size: tuple[int, int],
    pix_fmt: str,
    rate: Fraction,
    time_base: Fraction | None,
    options: dict[str, str] | None,
) -> VideoStream:
    video = container.add_stream(codec, rate=rate)
    assert isinstance(video, VideoStream)
    video.width, video.height, video.pix_fmt = *size, pix_fmt
    video.codec_context.time_base = time_base or 1 / rate
    video.time_base = video.codec_context.time_base
    video.codec_context.options = {**QUIET.get(codec, {}), **(options or {})}
    video.codec_context.thread_count = 1
    return video


def _tag(video: VideoStream, color: Color, aspect: Fraction | None, rotation: int | None) -> None:
    context = video.codec_context
    context.color_range, context.colorspace = color.range, color.space
    context.color_primaries, context.color_trc = color.primaries, color.trc
    if aspect is not None:
        context.sample_aspect_ratio = aspect
    if rotation is not None:
        video.set_display_rotation(rotation)


def _add_extras(container: OutputContainer, extras: Extras, path: Path) -> Iterator[Callable[[float], None]]:
    """Add streams and tags; yield what writes their packets, given the video's length in seconds."""
    container.metadata.update(extras.metadata)
    if extras.chapters:
        container.set_chapters(CHAPTERS)
    if extras.second_video:
        yield _add_second_video(container, extras.second_is_default)
    for track in range(extras.n_audio_tracks if extras.audio else 0):
        assert extras.audio is not None
        yield _add_audio(container, extras.audio, extras.audio_start, track)
    if extras.subtitles:
        yield _add_subtitles(container, extras.subtitles)
    if extras.attachment is not None:
        container.add_attachment("font ü.ttf", "application/x-truetype-font", extras.attachment)
    if extras.cover:
        yield _add_cover(container)


def _add_audio(container: OutputContainer, codec: str, start: int, track: int) -> Callable[[float], None]:
    audio = container.add_stream(codec, rate=SAMPLE_RATE)
    audio.metadata["language"] = ("eng", "deu")[track]
    audio.disposition = Disposition.default if track == 0 else Disposition.comment

    def write(length_s: float) -> None:
        samples = np.arange(int(length_s * SAMPLE_RATE) + 1024) * (440 * (track + 1) * 2 * np.pi / SAMPLE_RATE)
        tone = (np.sin(samples) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))

    return write


def _add_subtitles(container: OutputContainer, codec: str) -> Callable[[float], None]:
    subtitles = container.add_mux_stream(codec)
    subtitles.time_base = Fraction(1, 1000)
    subtitles.metadata["language"] = "fra"

    def write(length_s: float) -> None:
        for number, text in enumerate((b"Bonjour", b"Au revoir")):
            body = len(text).to_bytes(2, "big") + text if codec == "mov_text" else text
            packet = av.Packet(body)
            packet.stream, packet.time_base = subtitles, Fraction(1, 1000)
            packet.pts = packet.dts = number * 150
            packet.duration = 120
            container.mux(packet)

    return write


def _add_second_video(container: OutputContainer, is_default: bool) -> Callable[[float], None]:
    video = _add_video(container, "libx264", (32, 32), "yuv420p", Fraction(25), None, None)
    if is_default:
        container.streams[0].disposition = Disposition(0)
    video.disposition = Disposition.default if is_default else Disposition(0)

    def write(length_s: float) -> None:
        for number in range(5):
            picture = pattern(number, (32, 32), "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))

    return write


def _add_cover(container: OutputContainer) -> Callable[[float], None]:
    if container.format.name == "matroska":
        container.add_attachment("cover.png", "image/png", png())
        return lambda length_s: None
    cover = container.add_mux_stream("png", width=16, height=16)
    cover.disposition = Disposition.attached_pic

    def write(length_s: float) -> None:
        packet = av.Packet(png())
        packet.stream, packet.pts, packet.dts = cover, 0, 0
        packet.is_keyframe = True
        container.mux(packet)

    return write


def png() -> bytes:
    """Make a small image file."""
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 16, 16, "rgb24", Fraction(1)
    return b"".join(bytes(packet) for packet in context.encode(pattern(0, (16, 16), "rgb24")))


@dataclass(frozen=True)
class Shown:
    """A decoded frame as seen from outside."""

    pts: int
    time_s: Fraction
    planes: tuple[bytes, ...]


def frames_of(path: Path, stream: int = 0) -> list[Shown]:
    """Decode a video stream with one thread, past packets that don't decode."""
    shown = []
    with av.open(str(path)) as container:
        video = container.streams.video[stream]
        for packet in container.demux(video):
            with contextlib.suppress(av.FFmpegError):
                shown += [_shown(frame) for frame in packet.decode()]
    return shown


def _shown(frame: av.VideoFrame) -> Shown:
    return Shown(frame.pts, frame.pts * frame.time_base, tuple(plane_bytes(frame)))


def plane_bytes(picture: av.VideoFrame) -> Iterator[bytes]:
    """Copy the planes of a picture without their padding."""
    for index, plane in enumerate(picture.planes):
        parts = [component for component in picture.format.components if component.plane == index]
        n_bytes = plane.width * len(parts) * (2 if parts[0].bits > 8 else 1)
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
        yield rows[:, :n_bytes].tobytes()


def packets_of(path: Path, kind: str) -> dict[int, list[tuple[Fraction, bytes]]]:
    """Read the packets of all streams of a kind: start in seconds, and bytes, by position among that kind."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        found: dict[int, list[tuple[Fraction, bytes]]] = {n: [] for n in range(len(streams))}
        for packet in container.demux(streams) if streams else []:
            if packet.size:
                found[streams.index(packet.stream)].append((packet.pts * packet.time_base, bytes(packet)))
        return found


def opened(path: Path) -> InputContainer:
    """Open a file for looking at its tags."""
    return av.open(str(path))


def add_captions(path: Path) -> None:
    """Put one pair of CEA-608 bytes into every picture of a raw H.264 file made with aud=1."""
    caption = b"\xb5\x00\x31GA94" + bytes([3, 0x40 | 1, 0xFF, 0xFC, *CAPTION, 0xFF])
    message = b"\x00\x00\x00\x01\x06\x04" + bytes([len(caption)]) + caption + b"\x80"
    delimiter = re.compile(rb"\x00\x00\x00\x01\x09.", re.DOTALL)
    path.write_bytes(delimiter.sub(lambda found: found[0] + message, path.read_bytes()))


def corrupt_packet(path: Path, number: int, kept: float = 0.0) -> None:
    """Overwrite one packet of an MP4's video, counted in the order of the file, with noise; `kept` is a share of it."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        n_kept = int(kept * packet.size)
        start, size = packet.pos + n_kept, packet.size - n_kept
    data = bytearray(path.read_bytes())
    data[start : start + size] = np.random.default_rng(0).bytes(size)
    path.write_bytes(data)
