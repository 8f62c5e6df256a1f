"""How each picture was coded: told by its decoder, or read from its packet before it is decoded.

packets, in the order of decoding --see--> a mark each instead of its pts --decoder--> pictures, in the order of showing
                                            '-> pts, QP, partition -----------take--------'

A packet and its picture are known by the mark: time stamps may be missing, or the same twice. PyAV can hand an object
through a decoder instead (opaque), but to let go of it FFmpeg's threads need Python's lock, and wait for each other for
good when a decoder is closed while they work.
"""

import logging
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import av
from av.packet import Packet
from av.video.stream import VideoStream

from cvqe.partition import Partition
from runtime.frame_qp import frame_qp
from runtime.hevc.picture_qp import PictureQpReader
from runtime.packages import pip

if TYPE_CHECKING:  # it needs numba
    from runtime.hevc.partition_reader import PartitionReader

log = logging.getLogger(__name__)
MOST_WAITING = 2048  # packets without a picture yet: 16 that are reordered, one a thread, and those that never gave one
MOST_PARTITIONS = 256  # of the newest among them: a partition is a megabyte at 1080p
# stand in for time stamps, so low that none is real: a decoder hands them through as it does any
_FIRST_MARK, _MARKS_END = -(2**62), -(2**61)


class Coding(NamedTuple):
    """The luma quantiser that a picture was coded at, and how it was divided; None where that is unknown."""

    qp: float | None = None
    partition: Partition | None = None


UNKNOWN = Coding()


class CodingReader(Protocol):
    """Follows one stream through its decoder.

    Attributes:
        obstacle: why no picture has a partition, a few words; None where they are read.
    """

    obstacle: str | None

    def see(self, packet: "Packet[Any]") -> None:
        """Take note of the next packet, before it is decoded; its pts may be another afterwards."""

    def take(self, picture: av.VideoFrame) -> Coding:
        """Return how a picture that the decoder gave was coded, once for each; its pts is that of its packet again."""


def coding_reader(stream: VideoStream, with_partitions: bool = False) -> CodingReader:
    """Return what finds out how the pictures of this stream were coded.

    H.264's and VP9's decoders tell the quantiser, HEVC's bitstream is read, AV1 and all others remain unknown.

    Args:
        with_partitions: read those of HEVC, which takes numba; without it that is said, and there are none.
    """
    context = stream.codec_context
    codec = context.codec.canonical_name
    if codec != "hevc":
        return DecoderCoding(f"{codec} tells no transform units")
    partitions = _partition_reader(context.extradata) if with_partitions else None
    obstacle = "no numba to read the bitstream with" if with_partitions else "not asked for"
    return PacketCoding(context.extradata, partitions, obstacle)


class DecoderCoding:
    """Asks the decoded picture."""

    def __init__(self, obstacle: str) -> None:
        self.obstacle: str | None = obstacle

    def see(self, packet: "Packet[Any]") -> None:
        """See CodingReader; there is nothing to note."""

    def take(self, picture: av.VideoFrame) -> Coding:
        """See CodingReader."""
        return Coding(frame_qp(picture))


class _Seen(NamedTuple):
    pts: int | None
    coding: Coding


class PacketCoding:
    """Reads HEVC's packets; a picture that the decoder conceals is unknown."""

    def __init__(
        self, extradata: bytes | None, partitions: "PartitionReader | None" = None, obstacle: str | None = None
    ) -> None:
        """Begin with what the container stores outside the packets; `obstacle` is why `partitions` are not read."""
        self.obstacle = None if partitions else obstacle
        self._qps, self._partitions = PictureQpReader(extradata), partitions
        self._waiting: dict[int, _Seen] = {}
        self._next_mark = _FIRST_MARK

    def see(self, packet: "Packet[Any]") -> None:
        """See CodingReader."""
        if not packet.size:  # the end of the stream
            return
        if packet.is_keyframe and packet.has_sidedata("new_extradata"):  # MP4 files of several sample descriptions
            self._take_extradata(bytes(packet.get_sidedata("new_extradata")))
        data = memoryview(packet)
        partition = self._partitions.feed(data) if self._partitions else None
        self._waiting[self._next_mark] = _Seen(packet.pts, Coding(self._qps.qp(data), partition))
        packet.pts = self._next_mark
        self._next_mark += 1
        self._forget()

    def take(self, picture: av.VideoFrame) -> Coding:
        """See CodingReader."""
        if picture.pts is None or picture.pts >= _MARKS_END:
            return UNKNOWN
        picture.pts, coding = self._waiting.pop(picture.pts, _Seen(None, UNKNOWN))
        return UNKNOWN if picture.is_corrupt else coding

    def _take_extradata(self, extradata: bytes) -> None:
        self._qps.take_extradata(extradata)
        if self._partitions:
            self._partitions.take_extradata(extradata)

    def _forget(self) -> None:
        """Bound what waits: packets that are lost, or not shown, never give a picture."""
        self._waiting.pop(self._next_mark - 1 - MOST_WAITING, None)
        old = self._next_mark - 1 - MOST_PARTITIONS
        if old in self._waiting:
            pts, coding = self._waiting[old]
            self._waiting[old] = _Seen(pts, coding._replace(partition=None))


def _partition_reader(extradata: bytes | None) -> "PartitionReader | None":
    try:
        from runtime.hevc.partition_reader import PartitionReader
    except ImportError as error:  # a numba that doesn't fit its NumPy fails to import, too
        log.warning(
            "HEVC's transform units can't be read (%s), so a network that is guided by them gets a fixed grid instead."
            "\nInstall what reads them:  %s",
            error,
            pip("install", "numba"),
        )
        return None
    return PartitionReader(extradata)
