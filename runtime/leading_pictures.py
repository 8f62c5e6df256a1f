"""Pictures at a start that refer to what lies before it, so that no decoder shows them.

coded   I16 b13 b14 b15 P20 ...     a recording that begins inside another one, at a picture of an open GOP
shown               I16 ... P20     13, 14 and 15 refer to pictures before 16 too
"""

import av
from av.packet import Packet
from av.stream import Stream

from runtime.hevc.nal_units import units_of_packet

_RASL_TYPES = (8, 9)  # HEVC's name: random access skipped leading pictures


class LeadingPictures:
    """Counts the packets of one stream that are due before its first picture and gave none themselves.

    Later key frames have what their leading pictures refer to, so it looks no further than the second one.
    """

    def __init__(self, is_hevc: bool) -> None:
        self._is_hevc = is_hevc
        self._waiting: set[int] = set()  # time stamps of packets that gave no picture yet
        self._first_pts: int | None = None
        self._is_begun = self._is_over = False
        self._n_keyframes = self._n_without_pts = self._n_failed = 0

    @property
    def is_begun(self) -> bool:
        """Whether there was a picture."""
        return self._is_begun

    @property
    def n_lost(self) -> int:
        """How many there were so far."""
        first_pts = self._first_pts
        n_early = sum(first_pts is not None and pts < first_pts for pts in self._waiting)
        return max(0, n_early + self._n_without_pts - self._n_failed)

    def see(self, packet: "Packet[Stream]") -> None:
        """Take note of the next packet, in the order of decoding."""
        self._n_keyframes += packet.is_keyframe
        self._is_over |= self._is_begun and self._n_keyframes > 1
        if self._is_over or packet.is_discard:
            return
        if packet.pts is not None:
            self._waiting.add(packet.pts)
        elif self._is_hevc:  # raw files tell no time, but name the kind of picture
            self._n_without_pts += self._n_keyframes == 1 and _is_skipped(packet)

    def fail(self) -> None:
        """Take note that a packet failed to decode: that is damage, and counted as such."""
        self._n_failed += not self._is_begun

    def take(self, picture: av.VideoFrame) -> None:
        """Take note of the next picture, in the order of showing, its pts that of its packet."""
        if not self._is_begun:
            self._is_begun, self._first_pts = True, picture.pts
        if picture.pts is not None:
            self._waiting.discard(picture.pts)


def _is_skipped(packet: "Packet[Stream]") -> bool:
    return any(unit.type in _RASL_TYPES for unit in units_of_packet(bytes(packet), 0))
