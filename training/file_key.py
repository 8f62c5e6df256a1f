"""A short key that changes when a file does: by its path, size and time of change."""

import hashlib
from pathlib import Path

from cvqe.errors import InputError


def key_of(file: Path) -> str:
    """Return twelve hexadecimal digits.

    Raises:
        InputError: the file can't be looked at.
    """
    try:
        facts = file.stat()
    except OSError as error:
        raise InputError(f"{file} can't be read ({error.strerror}).") from error
    words = f"{file.resolve()} {facts.st_size} {facts.st_mtime_ns}"
    return hashlib.sha256(words.encode()).hexdigest()[:12]
