"""The bit rate of a coded clip: its coded pictures, without the container and the encoder's messages."""

from collections.abc import Iterator
from pathlib import Path

from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from runtime.input_file import open_container, video_stream
from runtime.pts_repair import average_rate

# NAL units of supplemental information, which x264 and x265 fill with kilobytes about themselves
SEI = {"hevc": "39-40", "h264": "6"}


def bitrate_kbps(path: Path, first_frames: int | None = None) -> float:
    """Return thousands of bits a second of the video, or of what its first frames (in the order shown) take.

    Raises:
        InputError: the file can't be read as a video.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        packets = sorted(_pictures(container, stream), key=_shown_at)[:first_frames]
        n_bytes = sum(packet.size for packet in packets)
        return n_bytes * 8 * float(average_rate(stream)) / max(len(packets), 1) / 1000


def _pictures(container: InputContainer, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
    codec = stream.codec_context.codec.canonical_name
    packets = (packet for packet in container.demux(stream) if packet.size)
    if codec not in SEI:
        yield from packets
        return
    without_sei = BitStreamFilterContext(f"filter_units=remove_types={SEI[codec]}", stream)
    for packet in packets:
        yield from without_sei.filter(packet)
    yield from without_sei.filter(None)


def _shown_at(packet: "Packet[VideoStream]") -> int:
    stamps = [stamp for stamp in (packet.pts, packet.dts) if stamp is not None]
    return stamps[0] if stamps else 0
