"""The quantiser that each picture was coded at: told by its decoder, or read from its packet before it is decoded.

packets, in the order of decoding --see--> QP, kept by pts --take--> pictures, in the order of showing
"""

from typing import Any, Protocol

import av
from av.packet import Packet
from av.video.stream import VideoStream

from runtime.frame_qp import frame_qp
from runtime.hevc.picture_qp import PictureQpReader

MOST_WAITING = 2048  # pictures inside a decoder: 16 that are reordered, and one a thread
# stand in for missing time stamps, so low that none is real: a decoder hands them through as it does any
_FIRST_MARK, _MARKS_END = -(2**62), -(2**61)


class CodedQp(Protocol):
    """Follows one stream through its decoder."""

    def see(self, packet: "Packet[Any]") -> None:
        """Take note of the next packet, before it is decoded."""

    def take(self, picture: av.VideoFrame) -> float | None:
        """Return the quantiser of a picture that the decoder gave, None where it is unknown; once for each."""


def coded_qp(stream: VideoStream) -> CodedQp:
    """Return what finds out the quantisers of this stream: H.264's and VP9's decoders tell, HEVC's bitstream is read.

    AV1 and all others remain unknown.
    """
    context = stream.codec_context
    return PacketQp(context.extradata) if context.codec.canonical_name == "hevc" else DecoderQp()


class DecoderQp:
    """Asks the decoded picture."""

    def see(self, packet: "Packet[Any]") -> None:
        """See CodedQp; there is nothing to note."""

    def take(self, picture: av.VideoFrame) -> float | None:
        """See CodedQp."""
        return frame_qp(picture)


class PacketQp:
    """Reads HEVC's slice headers; a picture is known again by its packet's pts.

    A picture that the decoder conceals, and one that shares its pts with another of a different quantiser, is unknown.
    """

    def __init__(self, extradata: bytes | None) -> None:
        self._reader = PictureQpReader(extradata)
        self._waiting: dict[int, float | None] = {}
        self._next_mark = _FIRST_MARK

    def see(self, packet: "Packet[Any]") -> None:
        """See CodedQp; a packet without pts gets a mark instead, which take() removes."""
        if not packet.size:  # the end of the stream
            return
        if packet.is_keyframe and packet.has_sidedata("new_extradata"):  # MP4 files of several sample descriptions
            self._reader.take_extradata(bytes(packet.get_sidedata("new_extradata")))
        qp = self._reader.qp(memoryview(packet))
        if packet.pts is None:
            packet.pts = self._next_mark
            self._next_mark += 1
        is_unclear = self._waiting.get(packet.pts, qp) != qp
        self._waiting[packet.pts] = None if is_unclear else qp
        if len(self._waiting) > MOST_WAITING:  # of packets that gave no picture
            del self._waiting[next(iter(self._waiting))]

    def take(self, picture: av.VideoFrame) -> float | None:
        """See CodedQp."""
        qp = None if picture.pts is None else self._waiting.pop(picture.pts, None)
        if picture.pts is not None and picture.pts < _MARKS_END:
            picture.pts = None
        return None if picture.is_corrupt else qp
