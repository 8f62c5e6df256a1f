"""Packets into a file: what the muxer refuses is left out and counted, a disk that fails is an error."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from cvqe.errors import CvqeError


class Muxer:
    """An output container being written; n_refused counts damaged packets that it wouldn't take."""

    def __init__(self, container: OutputContainer, path: Path) -> None:
        self.container = container
        self.n_refused = 0
        self._path = path

    def write_header(self) -> None:
        """Open the encoders and the file."""
        with self._writing():
            self.container.start_encoding()

    def mux(self, packet: "Packet[Stream]") -> None:
        """Write a packet, or keep it until those of other streams that belong before it have come.

        Raises:
            CvqeError: the disk is full, or the container can't go on.
        """
        with self._writing(), self._passing_over_damage():
            self.container.mux_one(packet)

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        with self._writing(), self._passing_over_damage():
            self.container.close()

    def discard(self) -> None:
        """Close the file, whatever comes of it, and remove it."""
        with contextlib.suppress(av.FFmpegError):
            self.container.close()
        self._path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _passing_over_damage(self) -> Iterator[None]:
        """Lose one packet instead of the file: an audio frame of one byte, say, that MPEG-TS can't wrap."""
        try:
            yield
        except av.error.InvalidDataError:
            self.n_refused += 1

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            raise CvqeError(f"{self._path}: writing failed ({error.strerror}); {_advice(error)}") from error


def _advice(error: av.FFmpegError | OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return "make room on the disk, or write to another with -o"
    return "Matroska takes most streams:  -o out.mkv"
