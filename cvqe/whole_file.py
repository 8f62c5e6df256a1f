"""Files that are there in whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cvqe.errors import UsageError

UNFINISHED = ".tmp"
_NAME_CHARS = 40  # of the final name, for a person who finds one left behind; a name may not become too long


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file under a name that nobody else has; it gets its final one at the end, when it is on the disk.

    Raises:
        OSError: it can't be written; nothing is left behind, and what had the name before stays.
    """
    unfinished = path.with_name(f".{path.name[:_NAME_CHARS]}.{secrets.token_hex(8)}{UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def refuse_missing_folder(output: Path) -> None:
    """Refuse a file's place before anything is computed for it.

    Raises:
        UsageError: its folder is not there.
    """
    if not output.resolve().parent.is_dir():
        raise UsageError(f"{output.parent} is no folder. Make it:  mkdir -p {output.parent}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file at once.

    Raises:
        OSError: as whole_file.
    """
    with whole_file(path) as file:
        file.write(content)


def remove_unfinished(folder: Path) -> None:
    """Delete what killed runs left half-written in a folder, if there is such a folder."""
    for left in folder.glob(f"*{UNFINISHED}"):
        left.unlink(missing_ok=True)
