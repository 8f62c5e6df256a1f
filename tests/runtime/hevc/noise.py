"""Damage for streams: bytes, bits of headers, cuts, and NAL units or packets lost, swapped, repeated or mixed up."""

from collections.abc import Callable, MutableSequence
from random import Random
from typing import Any

from runtime.hevc.nal_units import length_size, units_of_packet
from tests.runtime.hevc.bit_writer import annex_b, with_lengths
from tests.runtime.hevc.streams import HevcStream

_HEADER_BYTES = 60
_AMOUNTS = (1, 5, 50, 500)
_HEADERS = range(32, 35)  # parameter sets


def damaged(stream: HevcStream, other: HevcStream, random: Random) -> HevcStream:
    """Return a stream that was damaged in one way, or in some.

    Args:
        stream: at least two packets.
        other: lends packets and units where streams are mixed up.
        random: decides about everything.
    """
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        if stream.packets:  # all may be lost
            stream = random.choice(_WAYS)(stream, other, random)
    return stream


def _random_bytes(stream: HevcStream, _: HevcStream, random: Random) -> HevcStream:
    packets = [bytearray(packet) for packet in stream.packets]
    for _ in range(random.choice(_AMOUNTS)):
        packet = random.choice(packets)
        if packet:
            packet[random.randrange(len(packet))] = random.randrange(256)
    return _with(stream, packets)


def _bits_of_headers(stream: HevcStream, _: HevcStream, random: Random) -> HevcStream:
    """Flip bits where packets begin: parameter sets, slice headers and the framing."""
    packets = [bytearray(packet) for packet in stream.packets]
    for _ in range(random.choice(_AMOUNTS[:3])):
        packet = random.choice(packets)
        if packet:
            packet[random.randrange(min(_HEADER_BYTES, len(packet)))] ^= 1 << random.randrange(8)
    return _with(stream, packets)


def _bits_of_parameter_sets(stream: HevcStream, _: HevcStream, random: Random) -> HevcStream:
    """Flip bits of parameter sets alone: everything else is read with them."""

    def flip(units: list[bytes]) -> None:
        sets = [number for number, unit in enumerate(units) if len(unit) > 2 and unit[0] >> 1 in _HEADERS]
        for number in sets:
            unit = bytearray(units[number])
            for _ in range(random.randrange(3)):
                unit[random.randrange(2, len(unit))] ^= 1 << random.randrange(8)
            units[number] = bytes(unit)

    return _by_units(stream, flip)


def _bits_of_extradata(stream: HevcStream, _: HevcStream, random: Random) -> HevcStream:
    extradata = bytearray(stream.extradata)
    for _ in range(random.choice(_AMOUNTS[:2]) if extradata else 0):
        extradata[random.randrange(len(extradata))] ^= 1 << random.randrange(8)
    return HevcStream(stream.packets, bytes(extradata))


def _cut(stream: HevcStream, _: HevcStream, random: Random) -> HevcStream:
    """Cut the end off one packet, or off all."""
    packets = [bytearray(packet) for packet in stream.packets]
    for packet in packets if random.random() < 0.2 else [random.choice(packets)]:
        del packet[random.randrange(len(packet) + 1) :]
    return _with(stream, packets)


def _noise_for_slices(stream: HevcStream, _: HevcStream, random: Random) -> HevcStream:
    """Keep the headers and put noise where the slices' data was."""
    packets = [bytearray(packet) for packet in stream.packets]
    for packet in packets:
        start = random.randrange(1, _HEADER_BYTES) + len(packet) // 3 * (random.random() < 0.5)
        packet[start:] = random.randbytes(max(len(packet) - start, 0))
    return _with(stream, packets)


def _units_out_of_order(stream: HevcStream, other: HevcStream, random: Random) -> HevcStream:
    lent = [unit for units in _units(other) for unit in units]
    return _by_units(stream, lambda units: _shuffle(units, lent, random))


def _packets_out_of_order(stream: HevcStream, other: HevcStream, random: Random) -> HevcStream:
    packets = list(stream.packets)
    _shuffle(packets, other.packets, random)
    return HevcStream(tuple(packets), stream.extradata)


def _joined_packets(stream: HevcStream, _: HevcStream, random: Random) -> HevcStream:
    """Two pictures in one packet."""
    packets = list(stream.packets)
    if len(packets) > 1:
        number = random.randrange(len(packets) - 1)
        packets[number : number + 2] = [packets[number] + packets[number + 1]]
    return HevcStream(tuple(packets), stream.extradata)


def _shuffle(items: MutableSequence[Any], lent: Any, random: Random) -> None:
    """Drop, repeat, swap, or take over one from elsewhere."""
    for _ in range(random.choice([1, 3])):
        if not items:
            return
        first, second = random.randrange(len(items)), random.randrange(len(items))
        way = random.randrange(4)
        if way == 0:
            del items[first]
        elif way == 1:
            items.insert(second, items[first])
        elif way == 2:
            items[first], items[second] = items[second], items[first]
        elif lent:
            items.insert(first, random.choice(lent))


def _with(stream: HevcStream, packets: list[bytearray]) -> HevcStream:
    return HevcStream(tuple(map(bytes, packets)), stream.extradata)


def _units(stream: HevcStream) -> list[list[bytes]]:
    size = length_size(stream.extradata)
    return [[bytes(unit.data) for unit in units_of_packet(packet, size)] for packet in stream.packets]


def _by_units(stream: HevcStream, change: Callable[[list[bytes]], None]) -> HevcStream:
    """Let `change` work on the units of every packet, and frame them again."""
    size, packets = length_size(stream.extradata), _units(stream)
    for units in packets:
        change(units)
    framed = (with_lengths(*units, size=size) if size else annex_b(*units) for units in packets)
    return HevcStream(tuple(framed), stream.extradata)


_WAYS = (
    _random_bytes,
    _bits_of_headers,
    _bits_of_parameter_sets,
    _bits_of_extradata,
    _cut,
    _noise_for_slices,
    _units_out_of_order,
    _packets_out_of_order,
    _joined_packets,
)
