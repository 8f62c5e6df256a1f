"""What was known of a packet when it was read, found again when its picture comes out of the decoder."""

import time
from typing import NamedTuple

from runtime.picture_coding import MOST_WAITING


class PacketNote(NamedTuple):
    """When a packet was read, by time.monotonic(), and how much before it in the file had proved damaged by then."""

    arrived_s: float
    n_damaged: int


class PacketNotes:
    """Notes by the time stamp that a decoder hands through; a picture without one was read just now."""

    def __init__(self) -> None:
        self._waiting: dict[int, PacketNote] = {}  # the oldest first

    def see(self, stamp: int | None, n_damaged: int) -> None:
        """Note the packet that goes into the decoder now."""
        if stamp is None:
            return
        self._waiting[stamp] = PacketNote(time.monotonic(), n_damaged)
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def take(self, stamp: int | None, n_damaged: int) -> PacketNote:
        """Return the note of a picture's packet, once; without one, what holds now."""
        note = None if stamp is None else self._waiting.pop(stamp, None)
        return note or PacketNote(time.monotonic(), n_damaged)
