"""A packet of a stream that isn't enhanced, on its way from one container to the other."""

from dataclasses import dataclass

from av.packet import Packet
from av.stream import Stream


@dataclass(frozen=True)
class CopiedPacket:
    """A packet to be muxed as it is; `stream_index` counts the source's streams."""

    stream_index: int
    packet: "Packet[Stream]"

    @property
    def starts_s(self) -> float | None:
        """When the packet is due, in seconds of the source's clock; None if it doesn't say."""
        time = self.packet.pts if self.packet.pts is not None else self.packet.dts
        return None if time is None else float(time * self.packet.time_base)

    @property
    def ends_s(self) -> float | None:
        """When the packet is over, in seconds of the source's clock; None if it doesn't say when it starts."""
        start_s = self.starts_s
        return None if start_s is None else start_s + float((self.packet.duration or 0) * self.packet.time_base)
