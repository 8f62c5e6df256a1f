"""Small real media files for tests, written and read back with PyAV alone."""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.stream import Disposition
from av.video.stream import VideoStream

SAMPLE_RATE = 48_000
CAPTION = b"\x94\x2c"
CHAPTERS = [
    {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "Beginning"}},
    {"id": 2, "start": 200, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "Ende ü"}},
]
QUIET = {"libx265": {"x265-params": "log-level=none:cutree=0"}, "libsvtav1": {"preset": "10"}}
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
    fields: str | None = None,
) -> Path:
    """Write a moving pattern, or what `draw` draws, (width, height) pixels large, and what `extras` asks for.

    Stamps count in time_base. `fields` makes interlaced video of the frames: "tff" or "bff".
    """
    rate = Fraction(rate)
    with av.open(str(path), "w", container_options=muxer_options) as container:
        video = _add_video(container, codec, size, pix_fmt, rate, time_base, options)
        _tag(video, color or Color(), sample_aspect_ratio, rotation)
        if fields:
            video.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        writers = list(_add_extras(container, extras, path))
        container.start_encoding()
        clock = video.codec_context.time_base
        stamps = pts_list if pts_list is not None else [round(n / rate / clock) for n in range(frames)]
        for write in writers:
            write(float(stamps[-1] * clock) + 1 / float(rate))
        for number, pts in enumerate(stamps):
            picture = (draw or pattern)(number, size, pix_fmt)
            picture.pts, picture.time_base = pts, clock
            container.mux(video.encode(with_fields(picture, fields) if fields else picture))
        container.mux(video.encode(None))
    return path


def with_fields(picture: av.VideoFrame, order: str) -> av.VideoFrame:
    """Mark a picture as one of two fields: "tff" or "bff"."""
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base or Fraction(1)
    )
    marked, sink = graph.add("setfield", order), graph.add("buffersink")
    source.link_to(marked)
    marked.link_to(sink)
    graph.configure()
    graph.push(picture)
    return graph.pull()


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


def add_hdr10_plus(path: Path) -> None:
    """Put HDR10+ metadata (SMPTE ST 2094-40, one window) into every picture of a raw HEVC file made with aud=1."""
    fields = [(1, 2), (400, 27), (0, 1), (50_000, 17), (40_000, 17), (30_000, 17), (20_000, 17), (0, 4), (100, 10)]
    bits = "".join(f"{value:0{n_bits}b}" for value, n_bits in fields) + "000"  # no peaks, tone curve, saturation
    body = b"\xb5\x00\x3c\x00\x01\x04\x01" + int(bits.ljust(120, "0"), 2).to_bytes(15, "big")
    message = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", bytes([4, len(body)]) + body + b"\x80")
    delimiter = re.compile(rb"\x00\x00\x00\x01\x46\x01.", re.DOTALL)
    path.write_bytes(delimiter.sub(lambda found: found[0] + b"\x00\x00\x00\x01\x4e\x01" + message, path.read_bytes()))


def add_dolby_vision(path: Path, profile: int, compatibility: int, configuration: bytes = b"hvcC") -> None:
    """Put a record of Dolby Vision into an MP4's sample entry."""
    record = bytes([1, 0, profile << 1, 0b00101, compatibility << 4]) + bytes(19)
    add_sample_box(path, b"dvcC" if profile < 8 else b"dvvC", record, configuration)


def add_sample_box(path: Path, name: bytes, body: bytes, configuration: bytes = b"avcC") -> None:
    """Put a box into an MP4's sample entry, before the one with the codec's own configuration."""
    box = (8 + len(body)).to_bytes(4, "big") + name + body
    data = bytearray(path.read_bytes())
    at = data.rindex(configuration) - 4
    around = [data.rindex(name, 0, at) - 4 for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")]
    entry = around[-1] + 16
    for start in (*around, entry):
        size = int.from_bytes(data[start : start + 4], "big") + len(box)
        data[start : start + 4] = size.to_bytes(4, "big")
    path.write_bytes(data[:at] + box + data[at:])  # the index stands last: no chunk moves


def add_dolby_vision_metadata(path: Path, rpu_profile: int, is_full_range: bool) -> None:
    """Put metadata of Dolby Vision (an identity of order 1) at the end of every picture of a raw HEVC file, aud=1."""
    header = f"{25:08b}{2:06b}{18:011b}{rpu_profile:04b}00001" + f"000{_golomb(23)}01{is_full_range:b}"
    depths = _golomb(2) + _golomb(2) + _golomb(4) + "000001"  # 10, 10 and 12 bits, no enhancement layer
    curve_ends = 3 * (_golomb(0) + f"{0:010b}{1023:010b}")
    curve = _golomb(0) + _golomb(0) + "0" + _golomb(0) + f"{1:023b}" + _golomb(1) + f"{0:023b}"
    bits = header + depths + "00" + 3 * _golomb(0) + curve_ends + 2 * _golomb(0) + 3 * curve
    payload = (
        int(bits + -len(bits) % 8 * "0", 2).to_bytes(-(-len(bits) // 8), "big") + b"\xff\xff\xff\xff\x80"
    )  # no checksum
    unit = b"\x00\x00\x00\x01\x7c\x01" + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", payload)
    head, *pictures = re.split(rb"(?=\x00\x00\x00\x01\x46\x01)", path.read_bytes())
    path.write_bytes(head + b"".join(picture + unit for picture in pictures))


def _golomb(value: int) -> str:
    """Spell a number in Exp-Golomb bits."""
    digits = f"{value + 1:b}"
    return (len(digits) - 1) * "0" + digits
