"""What a source sends, over as many connections as it takes.

connection 1  |packet packet ... nothing for 5 s|              |packet packet ...
pictures      |0 1 2 3 ...                   149| wait, reopen |150 151 ...
                                                                '-- follows a gap; its time stamps go on
"""

import logging
import threading
from collections.abc import Iterator

import av
from av.packet import Packet
from av.stream import Stream

from cvqe.errors import CvqeError, InputError
from runtime.clock_restart import ContinuousClock
from runtime.connection import Connection, Connector, Layout
from runtime.copied_packet import CopiedPacket
from runtime.live_container import why_broken_off
from runtime.reconnect import BackOff
from runtime.source_address import Kind
from runtime.tolerant_decoder import Decoded

log = logging.getLogger(__name__)
_SHORTEST_TRY_S = 0.1  # a negative time would be no limit at all


class Reception:
    """Pictures and other streams' packets; used by one thread at a time, but for stop().

    Attributes:
        connection: the one in use, or the last one.
        n_reconnects: how often a sender that stopped came back.
        clock: runs on over all connections.
        end_note: after the end, a few words when that was no proper one; else None.
    """

    def __init__(self, connector: Connector) -> None:
        self.clock = ContinuousClock()
        self.n_reconnects = 0
        self.end_note: str | None = None
        self._connector = connector
        self._stopped = threading.Event()
        self._may_reconnect = False
        self._follows_gap = False
        self._back_off = BackOff(connector.live.give_up_s, self._stopped)
        self.connection = connector.connect(connector.live.open_timeout_s, self._stopped)

    @property
    def is_stopped(self) -> bool:
        """Whether stop() was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End after the read that is under way, without waiting for a sender; from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connection; what was yielded stays valid."""
        self.connection.container.close()

    def reconnect_from_now_on(self) -> None:
        """Let connections follow each other, now that all is known that the first one tells of itself."""
        self._may_reconnect = True

    def items(self) -> Iterator[Decoded | CopiedPacket]:
        """Yield all there is, in the order it came, to the end or until stopped; to be called once.

        Raises:
            CvqeError: a sender came back with other streams.
        """
        yield from self._items_of_connection()
        while self._is_to_go_on() and self._has_reconnected():
            yield from self._items_of_connection()

    def _items_of_connection(self) -> Iterator[Decoded | CopiedPacket]:
        for packet in self._packets():
            if packet.stream.index == self.connection.stream.index:
                yield from self._marked(self.connection.decoder.decode(packet))
            else:
                yield CopiedPacket(packet.stream.index, packet)
        if not self.is_stopped:
            yield from self._marked(self.connection.decoder.flush())

    def _marked(self, pictures: Iterator[Decoded]) -> Iterator[Decoded]:
        for decoded in pictures:
            yield decoded._replace(follows_gap=self._follows_gap)
            self._follows_gap = False
            # after the yield: what the caller took over a picture is no time without one
            self._back_off.frame_came()

    def _packets(self) -> "Iterator[Packet[Stream]]":
        self.end_note = None
        try:
            for packet in self.connection.container.demux():
                if self.is_stopped:
                    return
                if packet.size:
                    self.clock.adjust(packet)
                    yield packet
        except av.FFmpegError as error:
            reason = why_broken_off(error, self._connector.live.stall_s)
            self.end_note = f"reading stopped before the end ({reason})"

    def _is_to_go_on(self) -> bool:
        """Tell a sender that may come back; one that began anew would repeat what has an end."""
        is_network = self._connector.address.kind is Kind.NETWORK
        return is_network and self._may_reconnect and not self.is_stopped and not self.connection.has_length

    def _has_reconnected(self) -> bool:
        name, expected = self._connector.address.name, self.connection.layout
        log.info("%s: %s; trying to reach it again", name, self.end_note or "the sender stopped")
        self.close()  # a port that is listened on must be free
        connection = self._reached()
        if connection is None:
            self.end_note = None if self.is_stopped else self._gave_up()
            return False
        self._take_over(connection, expected)
        return True

    def _reached(self) -> Connection | None:
        longest_s = self._connector.live.open_timeout_s
        while self._back_off.wait():
            try:
                return self._connector.connect(
                    max(_SHORTEST_TRY_S, min(longest_s, self._back_off.left_s)), self._stopped
                )
            except InputError as error:
                log.info("%s", error)
        return None

    def _gave_up(self) -> str:
        return f"{self._connector.address.name} stopped sending; given up after {self._back_off.give_up_s:g} s"

    def _take_over(self, connection: Connection, expected: Layout) -> None:
        self.connection = connection
        if connection.layout != expected:
            raise CvqeError(
                f"{self._connector.address.name} came back with other streams: {_named(connection.layout)}; "
                f"{_named(expected)} was expected. Start again, with an output of its own"
            )
        self.n_reconnects += 1
        self._follows_gap = True
        self.clock.reconnect()


def _named(layout: Layout) -> str:
    return ", ".join(f"{codec} {kind}" for kind, codec, _, _ in layout)
