"""One clock for a file whose time stamps start over, as in joined or restarted recordings.

file      0 1 2 3 4 | 0 1 2 3        every stream goes back at the same place in the file
adjusted  0 1 2 3 4   5 6 7 8        one offset for all of them, so sound stays with its picture
"""

from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

RESTART_S = Fraction(1, 2)  # less than this is jitter, which pts_repair.py and the muxer's rules mend


class ContinuousClock:
    """Shift the packets that follow a restart to where the ones before it ended; n_restarts counts the places."""

    def __init__(self) -> None:
        self.n_restarts = 0
        self._offset_s = Fraction(0)
        self._ends_s: dict[int, Fraction] = {}

    def adjust(self, packet: "Packet[Stream]") -> None:
        """Rewrite a packet's pts and dts; packets come in the order of the file."""
        if packet.dts is None:
            self._shift(packet)
            return
        end_s = self._ends_s.get(packet.stream_index)
        if end_s is not None and packet.dts * packet.time_base + self._offset_s < end_s - RESTART_S:
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
