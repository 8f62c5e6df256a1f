"""Time stamps of copied packets that a muxer accepts: there is one, and dts never goes back."""

from av.packet import Packet
from av.stream import Stream


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
        if packet.dts is not None and self._earliest is not None and packet.dts < self._earliest:
            self.n_repaired += 1
            packet.dts = self._earliest
            packet.pts = None if packet.pts is None else max(packet.pts, packet.dts)
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.dts is not None:
            self._earliest = packet.dts + self._step
