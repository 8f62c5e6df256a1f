"""Real HEVC streams of a few small pictures, coded in the test by x265 (PyAV) and by Kvazaar (imageio-ffmpeg)."""

import io
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from runtime.hevc.nal_units import length_size, units_of_extradata, units_of_packet

# the same bits on every machine, and all of a picture's tools decided by squared error: more splits
X265_ALWAYS = "log-level=none:frame-threads=1:pools=1:cutree=0"
HM_TREES = "tu-intra-depth=3:tu-inter-depth=3:limit-tu=0:psy-rd=0"
KVAZAAR_TIMEOUT_S = 60


@dataclass(frozen=True)
class HevcStream:
    """Packets in the order of decoding, one picture each, and what the container stores outside them."""

    packets: tuple[bytes, ...]
    extradata: bytes = b""

    @property
    def units(self) -> list[list[bytes]]:
        """NAL units of each packet, the container's own before the first."""
        size = length_size(self.extradata)
        found = [[bytes(unit.data) for unit in units_of_packet(packet, size)] for packet in self.packets]
        stored = [bytes(unit.data) for unit in units_of_extradata(self.extradata)]
        return [stored + found[0], *found[1:]]


def picture(number: int, size: tuple[int, int], chroma: int = 0) -> NDArray[np.float64]:
    """Draw one plane: smooth ground, a disc that moves, fine texture in one corner, noise in another; 0 to 1."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    plane = 0.35 + 0.02 * number + 0.2 * np.sin(x / 37 + chroma) * np.cos(y / 29 + 0.1 * number)
    disc = (x - width / 3 - 3 * number) ** 2 + (y - height / 2 - 2 * number) ** 2 < (height / 4) ** 2
    plane[disc] += 0.25
    texture = (x > 0.6 * width) & (y < 0.5 * height)
    plane[texture] += 0.15 * np.sin((x + 2 * number) * 1.1 + y * 0.7)[texture]
    noise = np.random.default_rng(100 * chroma + number).normal(0, 0.08, plane.shape)
    noisy = (x < 0.4 * width) & (y > 0.6 * height)
    plane[noisy] += noise[noisy]
    return np.clip(plane, 0, 1)


def frame(number: int, size: tuple[int, int], pix_fmt: str) -> av.VideoFrame:
    """Return picture `number` in a planar format of any depth."""
    made = av.VideoFrame(*size, pix_fmt)
    for index, plane in enumerate(made.planes):
        depth = made.format.components[index].bits
        levels = np.rint(picture(number, (plane.width, plane.height), index) * ((1 << depth) - 1))
        samples = levels.astype("<u2" if depth > 8 else "u1")
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : samples.strides[0]] = samples.view(np.uint8).reshape(plane.height, -1)
        plane.update(rows)
    return made


@cache
def x265_stream(
    params: str, size: tuple[int, int] = (200, 136), n_frames: int = 4, pix_fmt: str = "yuv420p", preset: str = "medium"
) -> HevcStream:
    """Code with libx265, in Annex B with the parameter sets inside."""
    coder = av.CodecContext.create("libx265", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base, coder.framerate = *size, pix_fmt, Fraction(1, 25), 25
    coder.options = {"preset": preset, "x265-params": f"{X265_ALWAYS}:{params}"}
    packets = []
    for number in range(n_frames):
        made = frame(number, size, pix_fmt)
        made.pts, made.time_base = number, coder.time_base
        packets += coder.encode(made)
    packets += coder.encode(None)
    return HevcStream(tuple(bytes(packet) for packet in packets))


def kvazaar_binary() -> Path | None:
    """Return imageio-ffmpeg's own ffmpeg where it can code with Kvazaar, else None."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        binary = Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:  # a wheel without a binary
        return None
    return binary if has_kvazaar(binary) else None


@cache
def has_kvazaar(binary: Path) -> bool:
    """Ask an ffmpeg."""
    done = subprocess.run([binary, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)
    return "libkvazaar" in done.stdout


@cache
def kvazaar_stream(params: str, size: tuple[int, int] = (200, 136), n_frames: int = 4) -> HevcStream:
    """Code with Kvazaar, 8 bit 4:2:0, in Annex B.

    Args:
        params: Kvazaar's own options, `qp=30,tiles=2x2`.
        size: width and height.
        n_frames: coded.
    """
    binary = kvazaar_binary()
    assert binary is not None, "imageio-ffmpeg is not installed, or its ffmpeg has no Kvazaar"
    width, height = size
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", "25", "-i", "pipe:0"]
    coder = ["-c:v", "libkvazaar", "-kvazaar-params", params, "-f", "hevc", "pipe:1"]
    planes = [frame(number, size, "yuv420p").to_ndarray().tobytes() for number in range(n_frames)]
    done = subprocess.run(
        [binary, "-v", "error", *source, *coder],
        input=b"".join(planes),
        capture_output=True,
        check=False,
        timeout=KVAZAAR_TIMEOUT_S,
    )
    if done.returncode:
        raise RuntimeError(f"kvazaar {params}: {done.stderr.decode()[-300:]}")
    with av.open(io.BytesIO(done.stdout), format="hevc") as container:
        return HevcStream(tuple(bytes(packet) for packet in container.demux(video=0) if packet.size))


def filtered(stream: HevcStream, bitstream_filter: str) -> HevcStream:
    """Pass a stream's packets through one of FFmpeg's bitstream filters."""
    with av.open(io.BytesIO(b"".join(stream.packets)), format="hevc") as container:
        bits = BitStreamFilterContext(bitstream_filter, in_stream=container.streams.video[0])
        made = [packet for read in container.demux(video=0) if read.size for packet in bits.filter(read)]
    return HevcStream(tuple(bytes(packet) for packet in [*made, *bits.filter(None)]), stream.extradata)


def in_container(stream: HevcStream, container_format: str) -> HevcStream:
    """Put a stream into a container and take it out again: other framing, and parameter sets outside the packets."""
    raw, file = io.BytesIO(b"".join(stream.packets)), io.BytesIO()
    with av.open(raw, format="hevc") as source, av.open(file, "w", format=container_format) as container:
        video = container.add_stream_from_template(source.streams.video[0])
        video.time_base = Fraction(1, 25)
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            packet.stream, packet.time_base = video, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.duration = 1
            container.mux(packet)
    file.seek(0)
    with av.open(file) as container:
        video = container.streams.video[0]
        packets = tuple(bytes(packet) for packet in container.demux(video) if packet.size)
        return HevcStream(packets, video.codec_context.extradata or b"")
