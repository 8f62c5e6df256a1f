"""How each picture was coded: told by its decoder, or read from its packet before it is decoded.

packets, in the order of decoding --see--> a mark each instead of its pts --decoder--> pictures, in the order of showing
                                            '-> pts, QP, partition -----------take--------'

A packet and its picture are known by the mark: time stamps may be missing, or the same twice. PyAV can hand an object
through a decoder instead (opaque), but to let go of it FFmpeg's threads need Python's lock, and wait for each other for
good when a decoder is closed while they work.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import av
from av.packet import Packet
from av.video.stream import VideoStream

from cvqe.partition import Partition
from cvqe.pixel_format import bit_depth
from runtime.frame_qp import frame_qp
from runtime.hevc.picture_qp import PictureQpReader
from runtime.hevc_parser import hevc_parser

if TYPE_CHECKING:  # it needs numba
    from runtime.hevc.partition_reader import PartitionReader

MOST_WAITING = 2048  # packets without a picture yet: 16 that are reordered, one a thread, and those that never gave one
# of the newest among them: a partition is half a megabyte at 1080p, 8 at 8K. Those of as many pictures as a decoder
# holds, 16 that are reordered and one a thread, stay whatever their size is: the pictures themselves take far more
MOST_PARTITIONS, LEAST_PARTITIONS = 256, 32
MOST_PARTITION_BYTES = 256 << 20
# stand in for time stamps, so low that none is real: a decoder hands them through as it does any
_FIRST_MARK, _MARKS_END = -(2**62), -(2**61)


class Coding(NamedTuple):
    """The luma quantiser that a picture was coded at, and how it was divided; None where that is unknown.

    `partition_obstacle` is why there is no partition, a few words, where its packet tells.
    """

    qp: float | None = None
    partition: Partition | None = None
    partition_obstacle: str | None = None


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
    if not with_partitions:
        return PacketCoding(context.extradata, obstacle="not asked for")
    parser = hevc_parser(context.extradata, bit_depth(context.pix_fmt) if context.pix_fmt else 8)
    if isinstance(parser, str):
        return PacketCoding(context.extradata, obstacle=parser)
    return PacketCoding(context.extradata, parser)


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
        self._held = _HeldPartitions()
        self._next_mark = _FIRST_MARK

    def see(self, packet: "Packet[Any]") -> None:
        """See CodingReader."""
        if not packet.size:  # the end of the stream
            return
        if packet.has_sidedata("new_extradata"):  # MP4 files of several sample descriptions
            self._take_extradata(bytes(packet.get_sidedata("new_extradata")))
        data = memoryview(packet)
        coding = Coding(self._qps.qp(data), *self._partition(data))
        self._waiting[self._next_mark] = _Seen(packet.pts, coding)
        self._forget(coding.partition)
        packet.pts = self._next_mark
        self._next_mark += 1

    def take(self, picture: av.VideoFrame) -> Coding:
        """See CodingReader."""
        if picture.pts is None or picture.pts >= _MARKS_END:
            return UNKNOWN
        self._held.give(picture.pts)
        picture.pts, coding = self._waiting.pop(picture.pts, _Seen(None, UNKNOWN))
        return UNKNOWN if picture.is_corrupt else coding

    def _take_extradata(self, extradata: bytes) -> None:
        self._qps.take_extradata(extradata)
        if self._partitions:
            self._partitions.take_extradata(extradata)

    def _partition(self, data: memoryview) -> tuple[Partition | None, str | None]:
        """Return the packet's partition, or None and why there is none."""
        if self._partitions is None:
            return None, self.obstacle
        partition = self._partitions.feed(data)
        return partition, self._partitions.obstacle

    def _forget(self, newest: Partition | None) -> None:
        """Bound what waits: packets that are lost, or not shown, never give a picture."""
        self._waiting.pop(self._next_mark - MOST_WAITING, None)
        self._held.give(self._next_mark - MOST_WAITING)
        for old in self._held.take(self._next_mark, newest):
            pts, coding = self._waiting[old]
            coding = coding._replace(partition=None, partition_obstacle="too many pictures waited for the decoder")
            self._waiting[old] = _Seen(pts, coding)


class _HeldPartitions:
    """Counts the partitions that wait for their pictures, and their bytes."""

    def __init__(self) -> None:
        self._bytes_of: dict[int, int] = {}  # the oldest first
        self._total = 0

    def take(self, mark: int, partition: Partition | None) -> list[int]:
        """Hold the next one; return the marks of the oldest that are held no longer, to make room."""
        if partition is not None:
            self._bytes_of[mark] = partition.size_bytes
            self._total += partition.size_bytes
        dropped: list[int] = []
        while self._is_too_much():
            dropped.append(next(iter(self._bytes_of)))
            self.give(dropped[-1])
        return dropped

    def give(self, mark: int) -> None:
        """Hold one no longer, if it is held."""
        self._total -= self._bytes_of.pop(mark, 0)

    def _is_too_much(self) -> bool:
        n_held = len(self._bytes_of)
        return n_held > MOST_PARTITIONS or (n_held > LEAST_PARTITIONS and self._total > MOST_PARTITION_BYTES)
