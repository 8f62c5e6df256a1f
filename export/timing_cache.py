"""TensorRT's timings of single kernels, kept in a file between builds: they make the next build much shorter."""

import logging
from pathlib import Path

from cvqe.errors import CvqeError
from cvqe.file_lock import locked
from cvqe.whole_file import write_whole

log = logging.getLogger(__name__)


def load_timing_cache(path: Path) -> bytes:
    """Return the timings kept so far, empty where there are none; TensorRT itself checks whether they are its own."""
    try:
        with locked(path):
            return path.read_bytes() if path.is_file() else b""
    except CvqeError as error:
        log.warning("no timing cache: %s", error)
        return b""


def save_timing_cache(path: Path, content: bytes) -> None:
    """Keep the timings; of two builds at once the later one's stay. An engine that is built is worth more than this.

    It holds what was loaded before the build and what the build added.
    """
    try:
        with locked(path):
            write_whole(path, content)
    except (CvqeError, OSError) as error:
        log.warning("the timing cache is not kept: %s", error)
