"""Packets into a file: what the muxer refuses is left out and counted, a disk that fails is an error."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from runtime.write_errors import writing


class Muxer:
    """An output container being written.

    Attributes:
        n_packets: written so far, by their stream's index.
        n_refused: damaged packets among them that it wouldn't take.
    """

    def __init__(self, container: OutputContainer, name: str) -> None:
        """Take a container that is open for writing; `name` is for messages."""
        self.container = container
        self.n_packets: Counter[int] = Counter()
        self.n_refused = 0
        self._name = name

    def write_header(self) -> None:
        """Open the encoders and the file."""
        with writing(self._name):
            self.container.start_encoding()

    def mux(self, packet: "Packet[Stream]") -> None:
        """Write a packet, or keep it until those of other streams that belong before it have come.

        Raises:
            CvqeError: the disk is full, or the container can't go on.
        """
        with writing(self._name), self._passing_over_damage():
            self.n_packets[packet.stream.index] += 1
            self.container.mux_one(packet)

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        with writing(self._name), self._passing_over_damage():
            self.container.close()

    def discard(self) -> None:
        """Close the file, whatever comes of it: it is of no use any more."""
        with contextlib.suppress(av.FFmpegError):
            self.container.close()

    @contextlib.contextmanager
    def _passing_over_damage(self) -> Iterator[None]:
        """Lose one packet instead of the file: an audio frame of one byte, say, that MPEG-TS can't wrap."""
        try:
            yield
        except av.error.InvalidDataError:
            self.n_refused += 1
