"""A packet's NAL units, however they are framed.

Annex B         00 00 01 [unit] 00 00 01 [unit] ...           MPEG-TS, raw files, AVI
length-prefixed [length, 1 to 4 bytes][unit][length][unit]    MP4, Matroska; hvcC says how long a length is
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from runtime.hevc.bit_reader import BitstreamError

START_CODE = b"\0\0\1"
HEADER_BYTES = 2
_ESCAPE = b"\0\0\3"
_HVCC_LENGTH_SIZE, _HVCC_ARRAYS = 21, 22  # bytes before the length size, and before the number of arrays
_SMALLEST_HVCC = 23

SPS_TYPE, PPS_TYPE = 33, 34
END_TYPES = (36, 37)  # of a sequence, of the bitstream
FIRST_IRAP_TYPE, LAST_IRAP_TYPE = 16, 23
IDR_TYPES, LAST_BLA_TYPE = (19, 20), 18
_LAST_SUB_LAYER_TYPE, _LEADING_TYPES = 14, range(6, 10)
MOST_UNITS = 2048  # in a packet; no level allows more than 600 slices in a picture


class NalUnit(NamedTuple):
    """One NAL unit (7.3.1.2): its bytes as they came, a view into the packet."""

    type: int
    layer: int
    data: memoryview

    @property
    def is_slice_segment(self) -> bool:
        """Whether it holds a slice segment of a picture; types reserved for later ones don't count."""
        return self.type <= 9 or FIRST_IRAP_TYPE <= self.type <= 21

    @property
    def is_irap(self) -> bool:
        """Whether it belongs to a picture that decoding may start at."""
        return FIRST_IRAP_TYPE <= self.type <= LAST_IRAP_TYPE

    @property
    def is_idr(self) -> bool:
        """Whether it belongs to a picture that refers to none, nor do those after it."""
        return self.type in IDR_TYPES

    @property
    def temporal_id(self) -> int:
        """Sub-layer, from 0: pictures refer to none of a higher one."""
        return (self.data[1] & 7) - 1

    @property
    def ends_sequence(self) -> bool:
        """Whether the next picture starts anew."""
        return self.type in END_TYPES

    @property
    def starts_anew(self) -> bool:
        """Whether its order count is the coded one, wherever it stands: an IDR picture, or one after a broken link."""
        return FIRST_IRAP_TYPE <= self.type <= LAST_BLA_TYPE or self.is_idr

    @property
    def is_order_anchor(self) -> bool:
        """Whether later order counts count from its own: lowest sub-layer, others refer to it, it leads to none."""
        is_referred_to = self.type > _LAST_SUB_LAYER_TYPE or self.type % 2 == 1
        return self.temporal_id == 0 and is_referred_to and self.type not in _LEADING_TYPES

    def payload(self, most_bytes: int | None = None) -> bytes:
        """Return what follows the header, its emulation prevention bytes removed (7.4.2).

        Args:
            most_bytes: look at no more of it: a slice's header stands at its beginning.
        """
        end = None if most_bytes is None else HEADER_BYTES + most_bytes
        return unescaped(bytes(self.data[HEADER_BYTES:end]))


def unescaped(data: bytes) -> bytes:
    """Remove every 03 that stands behind two zeros, where it keeps the next bytes from looking like a start code."""
    found = data.find(_ESCAPE)
    if found < 0:
        return data
    parts, start = [], 0
    while found >= 0:
        parts.append(data[start : found + 2])
        start = found + 3
        found = data.find(_ESCAPE, start)
    return b"".join([*parts, data[start:]])


def length_size(extradata: bytes) -> int:
    """Return how many bytes a unit's length takes, 0 for Annex B, as FFmpeg tells the two apart.

    Args:
        extradata: of the stream's codec context, an hvcC box, or parameter sets in Annex B, or nothing.
    """
    is_hvcc = len(extradata) >= _SMALLEST_HVCC and extradata[:3] > START_CODE
    return (extradata[_HVCC_LENGTH_SIZE] & 3) + 1 if is_hvcc else 0


def units_of_packet(packet: bytes | memoryview, size: int) -> Iterator[NalUnit]:
    """Yield the units of a packet: of Annex B where `size` is 0, else behind lengths of so many bytes.

    Units too short for a header, or with a header that the standard forbids, are left out; what a wrong length makes
    unreadable ends the packet, and so do too many units.
    """
    units = _length_prefixed(memoryview(packet), size) if size else _annex_b(bytes(packet))
    for data in islice(units, MOST_UNITS):
        if len(data) > HEADER_BYTES and not data[0] & 0x80 and data[1] & 7:
            yield NalUnit(data[0] >> 1, (data[0] & 1) << 5 | data[1] >> 3, data)


def units_of_extradata(extradata: bytes) -> Iterator[NalUnit]:
    """Yield the parameter sets that a container stores outside the packets (ISO/IEC 14496-15, 8.3.3.1).

    Raises:
        BitstreamError: an hvcC box that is cut off.
    """
    if not length_size(extradata):
        yield from units_of_packet(extradata, 0)
        return
    position = _HVCC_ARRAYS + 1
    for _ in range(extradata[_HVCC_ARRAYS]):
        n_units, position = _number(extradata, position + 1), position + 3
        for _ in range(n_units):
            end = position + 2 + _number(extradata, position)
            yield from units_of_packet(extradata[position:end], 2)
            position = end


def _number(data: bytes, position: int) -> int:
    if position + 2 > len(data):
        raise BitstreamError(f"hvcC ends after {len(data)} bytes, inside a number")
    return int.from_bytes(data[position : position + 2], "big")


def _annex_b(data: bytes) -> Iterator[memoryview]:
    view, found = memoryview(data), data.find(START_CODE)
    while found >= 0:
        start = found + len(START_CODE)
        found = data.find(START_CODE, start)
        end = found if found >= 0 else len(data)
        while end > start and not data[end - 1]:  # zeros may fill up to the next start code
            end -= 1
        yield view[start:end]


def _length_prefixed(data: memoryview, size: int) -> Iterator[memoryview]:
    position = 0
    while position + size < len(data):
        start = position + size
        position = start + int.from_bytes(data[position:start], "big")
        yield data[start:position]
