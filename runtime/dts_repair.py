"""Time stamps of packets that a muxer accepts: there is one, dts never goes back, and never lies past pts."""

from av.packet import Packet
from av.stream import Stream

FURTHEST_AHEAD_S = 24 * 60 * 60  # no gap between two frames is so long


class DtsRepair:
    """Mend the packets of one stream, changing as few as possible; n_repaired counts them.

    Where only one of pts and dts is missing nothing needs mending: a muxer finds the dts of reordered frames by
    itself, and a packet that isn't reordered has pts = dts.
    """

    def __init__(self, may_repeat: bool) -> None:
        self.n_repaired = 0
        self._step = 0 if may_repeat else 1
        self._earliest: int | None = None

    def mend(self, packet: "Packet[Stream]") -> None:
        """Rewrite the pts and dts of the stream's next packet where they can't be muxed."""
        if packet.pts is None and packet.dts is None:
            self.n_repaired += 1
            packet.dts = self._earliest or 0
        if _is_out_of_reach(packet):
            self.n_repaired += 1
            packet.dts = packet.pts
        if packet.dts is not None and self._earliest is not None and packet.dts < self._earliest:
            self.n_repaired += 1
            packet.dts = self._earliest
            packet.pts = None if packet.pts is None else max(packet.pts, packet.dts)
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.dts is not None:
            self._earliest = packet.dts + self._step


def _is_out_of_reach(packet: "Packet[Stream]") -> bool:
    """Tell whether a packet would be decoded after it is shown, or absurdly long before."""
    if packet.pts is None or packet.dts is None:
        return False
    return not 0 <= (packet.pts - packet.dts) * packet.time_base <= FURTHEST_AHEAD_S
