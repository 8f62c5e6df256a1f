"""The partitions of a whole video in one file: one .npz, arrays in the order of showing.

    transform, coding, mode   uint8 [T, ceil(H/4), ceil(W/4)]     as cvqe.partition.Partition says
    qp                        int8  [T, ceil(H/4), ceil(W/4)]
    slice_types               text  [T]                           "I", "PP", ...
    temporal_id, order_count  int64 [T]
    is_whole                  bool  [T]                           False: something could not be read
    window                    int64 [4]                           left, top, width, height of what is shown
    version                   int64                               of this format: 1

Read by NumPy alone: np.load(path, allow_pickle=False).
"""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.partition import Partition, ShownWindow

VERSION = 1
_MAPS = ("transform", "coding", "mode", "qp")


def save_partitions(partitions: Sequence[Partition], path: Path) -> None:
    """Write the partitions of one video, all of one size; under the final name once it is whole.

    Raises:
        InputError: there are none, or they differ in size.
    """
    if not partitions or len({(part.transform.shape, part.window) for part in partitions}) != 1:
        raise InputError(f"{path.stem}: partitions of one size were expected, at least one; found {len(partitions)}.")
    unfinished = path.with_suffix(".tmp")
    try:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **_arrays(partitions))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_partitions(path: Path) -> list[Partition]:
    """Read the partitions of one video.

    Raises:
        InputError: the file can't be read, or is of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays: dict[str, NDArray[np.generic]] = {name: content[name] for name in content.files}
        if int(arrays["version"]) != VERSION:
            raise InputError(f"{path} is of version {arrays['version']}, {VERSION} was expected; make it again.")
        return [_partition(arrays, number) for number in range(len(arrays["transform"]))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is no data base of partitions ({error}); make it again.") from error


def _arrays(partitions: Sequence[Partition]) -> dict[str, NDArray[Any]]:
    return {
        **{name: np.stack([getattr(part, name) for part in partitions]) for name in _MAPS},
        "slice_types": np.array([part.slice_types for part in partitions]),
        "temporal_id": np.array([part.temporal_id for part in partitions]),
        "order_count": np.array([part.order_count for part in partitions]),
        "is_whole": np.array([part.is_whole for part in partitions]),
        "window": np.array(partitions[0].window),
        "version": np.array(VERSION),
    }


def _partition(arrays: dict[str, NDArray[np.generic]], number: int) -> Partition:
    left, top, width, height = (int(value) for value in arrays["window"])
    return Partition(
        **{name: arrays[name][number] for name in _MAPS},
        window=ShownWindow(left, top, width, height),
        slice_types=str(arrays["slice_types"][number]),
        temporal_id=int(arrays["temporal_id"][number]),
        order_count=int(arrays["order_count"][number]),
        errors=() if arrays["is_whole"][number] else ("not read as a whole",),
    )
