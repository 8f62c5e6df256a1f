"""Files that are there in whole or not at all."""

import os
from pathlib import Path

UNFINISHED = ".tmp"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a name of its own, and give it its final name once it is on the disk.

    Raises:
        OSError: it can't be written; nothing is left behind.
    """
    # the process is part of the name: one that was left behind by a killed run can't write into ours
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Delete what killed runs left half-written in a folder, if there is such a folder."""
    for left in folder.glob(f"*{UNFINISHED}"):
        left.unlink(missing_ok=True)
