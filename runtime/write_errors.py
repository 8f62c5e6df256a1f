"""What goes wrong while a file is written, in one sentence with its remedy."""

import contextlib
import errno
from collections.abc import Iterator

import av

from cvqe.errors import CvqeError

DISK_FAILS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Turn what FFmpeg or the system says inside into our own error.

    Raises:
        CvqeError: the disk is full, the reader of a pipe went away, or the container can't go on.
    """
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise CvqeError(f"{name}: writing failed ({error.strerror}); {_advice(error)}") from error


def _advice(error: av.FFmpegError | OSError) -> str:
    if error.errno in DISK_FAILS:
        return "make room on the disk, or write to another with -o"
    if error.errno in (errno.EPIPE, errno.ECONNREFUSED, errno.ECONNRESET):
        return "nobody reads there any more; start the reader first"
    if not isinstance(error, av.FFmpegError):
        return "write elsewhere with -o"
    return "Matroska takes most streams:  -o out.mkv"
