"""Encoded packets in a file, each as the encoder gave it.

    packet    pts, dts, duration, time base, is it a key frame, size, bytes        the next one follows at once

Containers round time stamps to clocks of their own; what is to be written again later must not be rounded twice.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from av.packet import Packet
from av.stream import Stream

_HEAD = struct.Struct("<qqqii?I")


class SegmentWriter:
    """Packets on their way into a file; crc and n_bytes are those of what it holds so far."""

    def __init__(self, path: Path) -> None:
        """Begin a file, in place of one that has this name.

        Raises:
            OSError: it can't be written.
        """
        self.path = path
        self.crc = self.n_bytes = 0
        self._file: BinaryIO = path.open("wb")

    def add(self, packet: "Packet[Stream]") -> None:
        """Append a packet that has time stamps."""
        content = memoryview(packet)
        clock = packet.time_base
        stamps = packet.pts, packet.dts, packet.duration or 0, clock.numerator, clock.denominator
        self._write(_HEAD.pack(*stamps, packet.is_keyframe, len(content)))
        self._write(content)

    def finish(self) -> None:
        """Bring everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Remove the file, whatever state it is in."""
        with contextlib.suppress(OSError):  # on a full disk what it still held can't be written
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _write(self, content: bytes | memoryview) -> None:
        self._file.write(content)
        self.crc = zlib.crc32(content, self.crc)
        self.n_bytes += len(content)


def read_segment(path: Path) -> "Iterator[Packet[Stream]]":
    """Yield the packets of a finished file.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            pts, dts, duration, *clock, is_keyframe, size = _HEAD.unpack(head)
            packet: Packet[Stream] = Packet(file.read(size))
            packet.pts, packet.dts, packet.duration, packet.time_base = pts, dts, duration, Fraction(*clock)
            packet.is_keyframe = is_keyframe
            yield packet


def checksum(path: Path) -> int:
    """Return the crc of a whole file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc
