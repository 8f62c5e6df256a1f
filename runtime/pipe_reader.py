"""A pipe as FFmpeg reads it, that ends when its writer closes it, or when nobody wants more of it."""

import os
import select
import threading
from typing import IO

_LOOK_S = 0.1  # how often a wait looks whether it is stopped


class PipeReader:
    """What PyAV takes for a file that can't be gone back in."""

    def __init__(self, file: IO[bytes], stopped: threading.Event) -> None:
        """Read from an open pipe until `stopped` is set."""
        self._file, self._stopped = file, stopped

    def read(self, n_bytes: int) -> bytes:
        """Return what there is, up to n_bytes, waiting for the writer; nothing at the end."""
        while not self._stopped.is_set():
            is_ready, _, _ = select.select([self._file], [], [], _LOOK_S)
            if is_ready:
                return os.read(self._file.fileno(), n_bytes)
        return b""
