"""What a Matroska file says of its video tracks, beyond what FFmpeg hands on.

Segment > Tracks > TrackEntry > BlockAdditionMapping > BlockAddIDType, BlockAddIDExtraData
                              > Video                > PixelCropLeft, ...
"""

from collections.abc import Iterator
from pathlib import Path

_HEAD_BYTES = 1 << 22  # tracks stand before the first picture; what comes earlier is an index and a few words
_SEGMENT, _TRACKS, _TRACK_ENTRY = 0x18538067, 0x1654AE6B, 0xAE
_TRACK_TYPE, _VIDEO = 0x83, 1
_MAPPING, _MAPPING_TYPE, _MAPPING_DATA = 0x41E4, 0x41E7, 0x41ED
_PICTURE, _CROPS = 0xE0, (0x54CC, 0x54BB, 0x54DD, 0x54AA)  # PixelCropLeft, Top, Right, Bottom


def block_additions(path: Path, video: int) -> dict[bytes, bytes]:
    """Read what a video track says about the additions to its blocks.

    Args:
        path: of a regular Matroska file; whatever is broken in it counts as not there.
        video: which of the video tracks, from 0.

    Returns:
        Extra data by type, like b"dvcC".
    """
    mappings = _all(_video_entry(path, video), _MAPPING)
    return {b"".join(_all(each, _MAPPING_TYPE)): b"".join(_all(each, _MAPPING_DATA)) for each in mappings}


def pixel_crop(path: Path, video: int) -> tuple[int, int, int, int]:
    """Read how many pixels a player cuts off a video track's pictures: left, top, right, bottom; see above."""
    pictures = _all(_video_entry(path, video), _PICTURE)
    left, top, right, bottom = (
        int.from_bytes(b"".join(body for picture in pictures for body in _all(picture, side)), "big") for side in _CROPS
    )
    return left, top, right, bottom


def _video_entry(path: Path, video: int) -> bytes:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    entries = [
        entry
        for segment in _all(head, _SEGMENT)
        for tracks in _all(segment, _TRACKS)
        for entry in _all(tracks, _TRACK_ENTRY)
        if int.from_bytes(b"".join(_all(entry, _TRACK_TYPE)), "big") == _VIDEO
    ]
    return entries[video] if video < len(entries) else b""


def _all(data: bytes, wanted: int) -> list[bytes]:
    return [body for number, body in _elements(data) if number == wanted]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield numbers and bodies of elements that follow each other, up to one that can't be."""
    at = 0
    while (n_id := _n_bytes(data, at)) and (n_size := _n_bytes(data, at + n_id)):
        start = at + n_id + n_size
        largest = 1 << 7 * n_size
        size = int.from_bytes(data[at + n_id : start], "big") - largest  # without the bit that told its length
        is_unknown = size == largest - 1  # as in live recordings
        end = len(data) if is_unknown or size < 0 else start + size
        yield int.from_bytes(data[at : at + n_id], "big"), data[start:end]
        at = end


def _n_bytes(data: bytes, at: int) -> int:
    """Tell from its first byte how many a number takes, one more than it has zeros in front; 0 where there is none."""
    first = data[at] if at < len(data) else 0
    return 9 - first.bit_length() if first else 0
