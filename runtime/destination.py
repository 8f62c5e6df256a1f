"""Where what is written goes: a file, which gets its name when it is whole, or somebody who reads along."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from cvqe.errors import UsageError
from cvqe.file_lock import locked
from runtime.destination_address import DestinationAddress
from runtime.output_path import container_format, partial_path
from runtime.resume_record import ResumeRecord, Resuming, open_record, remove_record
from runtime.written_check import Written, check_written


class Destination(Protocol):
    """A place for one output.

    Attributes:
        name: as the user calls it.
        url: what FFmpeg opens.
        format: FFmpeg's name of the muxer.
        container: whose codecs it takes: segments are files of a container of their own.
        options: of the muxer.
        is_seekable: the muxer can go back and fill in what it learns later.
        kept: after an end that was not the end, what remains and how to go on from there; None: nothing.
    """

    name: str
    url: str
    format: str
    container: str
    options: Mapping[str, str]
    is_seekable: bool
    kept: str | None

    def begin(self, encoding: Mapping[str, Any]) -> ResumeRecord | None:
        """Take the place, before anything is written; returns where segments are kept, None where they are not.

        Raises:
            CvqeError: another run has it, or something is there that may not be replaced.
        """

    def finish(self, written: Written) -> str:
        """Give what was closed its name; returns that.

        Raises:
            CvqeError: it doesn't read back as it was written.
        """

    def keep_part(self) -> str:
        """Leave what was closed as it is; returns what it is called."""

    def remove(self) -> None:
        """Take away what is not finished."""


class FileDestination:
    """A file, written under its partial name; segments of it are kept for a run that goes on, if that is asked for."""

    is_seekable = True

    def __init__(
        self,
        path: Path,
        replaces: bool = True,
        resuming: Resuming | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Name a file that check_output has approved.

        Args:
            path: the final name.
            replaces: what may have got this name meanwhile.
            resuming: keep segments, and go on with those of an earlier run if that is wanted.
            options: of the muxer.
        """
        self.path, self.name = path, str(path)
        self.format = self.container = container_format(path)
        self.options = options or {}
        self.kept: str | None = None
        self._partial = partial_path(path)
        self.url = str(self._partial.absolute())
        self._replaces, self._resuming = replaces, resuming
        self._record: ResumeRecord | None = None
        self._lock = ExitStack()

    def begin(self, encoding: Mapping[str, Any]) -> ResumeRecord | None:
        """See `Destination`."""
        with ExitStack() as lock:
            lock.enter_context(locked(self._partial, waits=False))
            if self.path.exists() and not self._replaces:
                raise UsageError(f"{self.path} exists by now; give another name with -o, or replace it:  --overwrite")
            if self._resuming:
                self._record = open_record(self.path, self._resuming, encoding)
            self._lock = lock.pop_all()
        return self._record

    def finish(self, written: Written) -> str:
        """See `Destination`."""
        with self._lock:
            check_written(self._partial, self.format, written)
            self._partial.replace(self.path)
            remove_record(self.path)
        return self.name

    def keep_part(self) -> str:
        """See `Destination`."""
        with self._lock:
            self._close_record()
        return str(self._partial)

    def remove(self) -> None:
        """See `Destination`."""
        with self._lock:  # to the last: later the file might be another run's
            self._partial.unlink(missing_ok=True)
            self._close_record()

    def _close_record(self) -> None:
        if self._record:
            self._record.close()
            n_kept = self._record.n_kept
            self.kept = f"{n_kept} frames are kept; to go on from there:  --resume" if n_kept else None


class LiveDestination:
    """Standard output, a network address, segments of a broadcast: what is written there can't be taken back."""

    is_seekable = False

    def __init__(self, address: DestinationAddress, options: Mapping[str, str]) -> None:
        self.name, self.url = address.text, address.url
        self.options: Mapping[str, str] = {**address.options, **options}
        self.format, self.container = address.format, address.container
        self.kept: str | None = None

    def begin(self, encoding: Mapping[str, Any]) -> None:
        """See `Destination`."""

    def finish(self, written: Written) -> str:
        """See `Destination`."""
        return self.name

    def keep_part(self) -> str:
        """See `Destination`."""
        return self.name

    def remove(self) -> None:
        """See `Destination`."""
