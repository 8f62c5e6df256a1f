"""Damage for media files: bits flipped, blocks lost, moved or filled with noise, headers that lie, packets missing."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import av
from av.packet import Packet
from av.stream import Stream

_HEAD_BYTES = 1500  # what most containers need for their header
_TELLING = (b"\0\0\0\0", b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\x40\0")
_SHARES_LOST = (0.05, 0.3, 0.9)
Bytes = Callable[[bytes, Random], bytes]


def damaged(data: bytes, random: Random) -> bytes:
    """Return the bytes of a file, damaged in one way or in some."""
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        if len(data) > 1:
            data = random.choice(_WAYS)(data, random)
    return data


def without_packets(source: Path, target: Path, random: Random) -> Path:
    """Write a sound file again without some packets of one of its streams.

    Raises:
        av.FFmpegError: the container can't be written without them.
    """
    share = random.choice(_SHARES_LOST)
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {each.index: new.add_stream_from_template(each, opaque=True) for each in _with_packets(old.streams)}
        victim = random.choice(sorted(copies))
        for packet in old.demux([old.streams[index] for index in copies]):
            if packet.size and not (packet.stream.index == victim and random.random() < share):
                new.mux(_moved(packet, copies[packet.stream.index]))
    return target


def _with_packets(streams: "av.container.StreamContainer") -> list[Stream]:
    return [each for each in streams if each.type in ("video", "audio", "subtitle")]


def _moved(packet: "Packet[Stream]", stream: Stream) -> "Packet[Stream]":
    packet.stream = stream
    return packet


def _flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice([1, 5, 50, 500])):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(1, len(data))]


def _cut_the_beginning(data: bytes, random: Random) -> bytes:
    return data[random.randrange(1, len(data)) :]


def _zero_a_block(data: bytes, random: Random) -> bytes:
    start, end = _block(data, random)
    return data[:start] + bytes(end - start) + data[end:]


def _fill_a_block_with_noise(data: bytes, random: Random) -> bytes:
    start, end = _block(data, random)
    return data[:start] + random.randbytes(end - start) + data[end:]


def _remove_a_block(data: bytes, random: Random) -> bytes:
    start, end = _block(data, random)
    return data[:start] + data[end:]


def _repeat_a_block(data: bytes, random: Random) -> bytes:
    start, end = _block(data, random)
    return data[:end] + data[start:]


def _swap_two_blocks(data: bytes, random: Random) -> bytes:
    a, b, c, d = sorted(random.randrange(len(data) + 1) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _insert_noise(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data))
    return data[:place] + random.randbytes(random.choice([1, 7, 188, 4000])) + data[place:]


def _lie_in_the_header(data: bytes, random: Random) -> bytes:
    """Overwrite fields near the start or in an MP4's index: sizes, counts, clocks and codec parameters are there."""
    changed = bytearray(data)
    index = data.find(b"moov")
    for _ in range(random.choice([1, 1, 3])):
        start = index if index > 0 and random.random() < 0.8 else 0
        place = start + random.randrange(min(_HEAD_BYTES, len(data) - start))
        n_bytes = random.choice([1, 2, 4])
        changed[place : place + n_bytes] = random.choice([*_TELLING, random.randbytes(4)])[-n_bytes:]
    return bytes(changed)


def _block(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data))
    return start, min(len(data), start + random.choice([4, 64, 1000, 20_000]))


_WAYS: tuple[Bytes, ...] = (
    _flip_bits,
    _flip_bits,
    _lie_in_the_header,
    _lie_in_the_header,
    _cut,
    _cut_the_beginning,
    _zero_a_block,
    _fill_a_block_with_noise,
    _remove_a_block,
    _repeat_a_block,
    _swap_two_blocks,
    _insert_noise,
)
