"""A lock between processes: held by an open file, so it ends with the process that holds it, however that ends."""

import contextlib
import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from cvqe.errors import CvqeError

log = logging.getLogger(__name__)
POLL_S = 0.1
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # how systems say that another process holds a lock


@contextmanager
def locked(path: Path, waits: bool = True) -> Iterator[None]:
    """Hold the lock of a file while inside; others wait, and say so.

    The lock is a file beside it, m.engine.lock, taken away by the one that lets go.

    Args:
        waits: else what another process holds is refused.

    Raises:
        CvqeError: the folder can't be written to, or another process holds the lock and `waits` is false.
    """
    beside = path.with_name(path.name + ".lock")
    with _acquired(beside, path, waits) as file:
        try:
            yield
        finally:
            if fcntl is not None:  # Windows can't delete what is open: there it stays
                beside.unlink(missing_ok=True)
            _unlock(file)


def _acquired(beside: Path, path: Path, waits: bool) -> IO[bytes]:
    has_told = False
    while True:
        file = _opened(beside)
        is_locked = _try_to_lock(file)
        if is_locked and _is_still(beside, file):
            return file
        file.close()
        if not waits and not is_locked:
            raise CvqeError(f"another run is writing to {path}; wait for it, or write elsewhere.")
        if not has_told:
            log.info("another process works on %s; waiting for it", path)
            has_told = True
        time.sleep(POLL_S)


def _opened(beside: Path) -> IO[bytes]:
    try:
        return beside.open("a+b")
    except OSError as error:
        raise CvqeError(f"{beside} can't be written ({error.strerror}); choose another place.") from error


def _is_still(beside: Path, file: IO[bytes]) -> bool:
    """Say whether the file that was locked is the one that others will find: it may have been taken away meanwhile."""
    try:
        return os.path.samestat(beside.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _try_to_lock(file: IO[bytes]) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _lock_byte(file, "LK_NBLCK")
    except OSError as error:
        if error.errno in HELD:
            return False
        # some network drives know no locks: better unguarded than not at all
        log.warning("%s can't be locked (%s): nothing keeps two runs apart here", file.name, error.strerror)
    return True


def _unlock(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # where it was not to be had; else it ends with the file anyhow
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_UN)
        else:
            _lock_byte(file, "LK_UNLCK")


def _lock_byte(file: IO[bytes], mode: str) -> None:
    """Lock or unlock the first byte, as Windows does it."""
    import msvcrt

    windows: Any = msvcrt
    file.seek(0)
    windows.locking(file.fileno(), getattr(windows, mode), 1)
