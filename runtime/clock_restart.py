"""One clock for a source whose time stamps start over, as in joined recordings, or a sender that was restarted.

source    0 1 2 3 4 | 0 1 2 3        every stream goes back at the same place
adjusted  0 1 2 3 4   5 6 7 8        one offset for all of them, so sound stays with its picture
"""

from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

MOST_REORDERED = 4  # frames; FFmpeg's guess of a dts that Matroska doesn't tell may be off by so many
RESTART_S = Fraction(1, 2)  # less than this is jitter, which pts_repair.py and the muxer's rules mend


class ContinuousClock:
    """Shift the packets that follow a restart to where the ones before it ended; n_restarts counts the places.

    What goes on, or jumps forward, stays as it is.
    """

    def __init__(self) -> None:
        self.n_restarts = 0
        self._offset_s = Fraction(0)
        self._ends_s: dict[int, Fraction] = {}
        self._is_first = False
        self._last_s: Fraction | None = None  # the latest that anything was shown until

    def reconnect(self) -> None:
        """Expect the packets of a new connection: even the least step back is no jitter then."""
        self._is_first = True

    def adjust(self, packet: "Packet[Stream]") -> None:
        """Rewrite a packet's pts and dts; packets come in the order they were sent."""
        if self._is_first:
            self._connect(packet)
        self._adjust(packet)
        if packet.pts is not None:
            end_s = (packet.pts + (packet.duration or 0)) * packet.time_base
            self._last_s = end_s if self._last_s is None else max(end_s, self._last_s)

    def _connect(self, packet: "Packet[Stream]") -> None:
        """Shift a new connection, by the first packet that tells its time, unless it goes on by itself."""
        time = packet.pts if packet.dts is None else packet.dts
        if time is None:
            return
        self._is_first = False
        self._ends_s.clear()
        if self._last_s is not None and time * packet.time_base + self._offset_s < self._last_s:
            self.n_restarts += 1
            self._offset_s = self._last_s - time * packet.time_base

    def _adjust(self, packet: "Packet[Stream]") -> None:
        if packet.dts is None:
            self._shift(packet)
            return
        end_s = self._ends_s.get(packet.stream_index)
        jitter_s = max(RESTART_S, MOST_REORDERED * (packet.duration or 0) * packet.time_base)
        if end_s is not None and packet.dts * packet.time_base + self._offset_s < end_s - jitter_s:
            self.n_restarts += 1
            self._offset_s = end_s - packet.dts * packet.time_base
        self._shift(packet)
        self._ends_s[packet.stream_index] = (packet.dts + (packet.duration or 0)) * packet.time_base

    def _shift(self, packet: "Packet[Stream]") -> None:
        if not self._offset_s:
            return
        ticks = round(self._offset_s / packet.time_base)
        packet.dts = None if packet.dts is None else packet.dts + ticks
        packet.pts = None if packet.pts is None else packet.pts + ticks
