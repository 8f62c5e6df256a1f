"""What an MP4 or QuickTime file says of a track's samples, beyond what FFmpeg hands on.

moov > trak > tkhd                                    the track's number
            > mdia > minf > stbl > stsd > hvc1 > ...  a box for every thing to know about its samples
"""

from collections.abc import Iterator
from pathlib import Path

_LARGEST_MOOV = 1 << 28  # bytes; a film's is some megabytes
_SAMPLE_TABLE = (b"mdia", b"minf", b"stbl", b"stsd")
_STSD_FIELDS, _VISUAL_ENTRY_FIELDS = 8, 78  # bytes in front of the boxes inside


def sample_boxes(path: Path, track: int) -> dict[bytes, bytes]:
    """Read the boxes inside the first sample entry of a video track.

    Args:
        path: of a regular file of the MP4 family; whatever is broken in it counts as not there.
        track: its number in the file, as FFmpeg's Stream.id gives it.

    Returns:
        Bodies by name, like b"hvcC"; empty where there is no such track.
    """
    for name, trak in _boxes(_load_moov(path)):
        if name == b"trak" and _track_number(trak) == track:
            for _, entry in _boxes(_inside(trak, _SAMPLE_TABLE)[_STSD_FIELDS:]):
                return dict(_boxes(entry[_VISUAL_ENTRY_FIELDS:]))
    return {}


def outer_boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and size in bytes of the bodies of a file's outermost boxes, up to one that can't be."""
    n_bytes, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while len(header := file.read(8)) == 8:
            size, start = int.from_bytes(header[:4], "big"), at + 8
            if size == 1:
                size, start = int.from_bytes(file.read(8), "big"), start + 8
            end = at + size if size else n_bytes  # 0: up to the end of the file
            if not start <= end <= n_bytes:
                return
            yield header[4:], start, end - start
            at = file.seek(end)


def _load_moov(path: Path) -> bytes:
    for name, start, size in outer_boxes(path):
        if name == b"moov":
            with path.open("rb") as file:
                file.seek(start)
                return file.read(min(size, _LARGEST_MOOV))
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and bodies of boxes that follow each other, up to one that can't be."""
    while len(data) >= 8 and (size := int.from_bytes(data[:4], "big")) >= 8:
        yield data[4:8], data[8:size]
        data = data[size:]


def _inside(data: bytes, names: tuple[bytes, ...]) -> bytes:
    """Go down from box to box, each the first of its name; empty where one is missing."""
    for name in names:
        data = dict(reversed(list(_boxes(data)))).get(name, b"")
    return data


def _track_number(trak: bytes) -> int:
    header = _inside(trak, (b"tkhd",))
    start = 20 if header[:1] == b"\x01" else 12  # after two times, of 8 or of 4 bytes
    return int.from_bytes(header[start : start + 4], "big")
