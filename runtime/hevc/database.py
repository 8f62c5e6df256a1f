"""The partitions of a whole video in one file: one .npz, arrays in the order of showing.

    transform, coding, mode   uint8 [T, ceil(H/4), ceil(W/4)]     as cvqe.partition.Partition says
    qp                        int8  [T, ceil(H/4), ceil(W/4)]
    slice_types               text  [T]                           "I", "PP", ...
    temporal_id, order_count  int64 [T]
    is_whole                  bool  [T]                           False: something could not be read
    window                    int64 [4]                           left, top, width, height of what is shown
    frames_asked              int64                               reading was to stop after so many; 0: read to the end
    note                      text                                where pictures may be missing: why; else empty
    version                   int64                               of this format: 1

Read by NumPy alone: np.load(path, allow_pickle=False).
"""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.partition import Partition, ShownWindow
from cvqe.whole_file import whole_file
from runtime.growing_array import GrowingArray

VERSION = 1
_MAPS = ("transform", "coding", "mode", "qp")
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Contents:
    """What a file says about itself.

    Attributes:
        frames_asked: reading was to stop after so many; None: at the end.
        note: a sentence where pictures may be missing.
    """

    n_pictures: int
    n_whole: int
    frames_asked: int | None = None
    note: str | None = None

    def suffices(self, limit: int | None) -> bool:
        """Say whether reading again, up to a limit or to the end, could bring more pictures."""
        is_to_the_end = self.frames_asked is None or self.n_pictures < self.frames_asked
        return is_to_the_end or (limit is not None and limit <= self.n_pictures)


def save_partitions(
    partitions: Iterable[Partition],
    path: Path,
    frames_asked: int | None = None,
    note: Callable[[], str | None] = lambda: None,
) -> Contents:
    """Write the partitions of one video, all of one size; under the final name once it is whole.

    Args:
        partitions: taken one by one; their maps wait on the disk beside path, as large as in memory.
        path: replaced where it exists.
        frames_asked: as Contents has it.
        note: asked after the last partition for what Contents has.

    Raises:
        InputError: there are none, or they differ in size.
        OSError: it can't be written; nothing is left behind.
    """
    with ExitStack() as stack:
        maps = {name: stack.enter_context(closing(GrowingArray(path.parent))) for name in _MAPS}
        small = {
            **_put_by(partitions, maps, path),
            "frames_asked": np.array(frames_asked or 0),
            "note": np.array(note() or ""),
            "version": np.array(VERSION),
        }
        with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, growing in maps.items():
                growing.save_as(name, archive)
            for name, array in small.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
    return _contents(small)


def load_partitions(path: Path) -> list[Partition]:
    """Read the partitions of one video, all into memory.

    Raises:
        InputError: the file can't be read, or is of another version.
    """
    with _opened(path) as content:
        arrays: Arrays = {name: content[name] for name in content.files}
        return [_partition(arrays, number) for number in range(len(arrays["transform"]))]


def load_transforms(path: Path) -> NDArray[np.uint8]:
    """Read Partition.transform of every picture of one video, [T, ceil(H/4), ceil(W/4)].

    Raises:
        InputError: as load_partitions.
    """
    with _opened(path) as content:
        transforms: NDArray[np.uint8] = content["transform"]
        return transforms


def load_contents(path: Path) -> Contents | None:
    """Read what a file says about itself; None where it is one of before such things were written.

    Raises:
        InputError: as load_partitions.
    """
    with _opened(path) as content:
        names = ("is_whole", "frames_asked", "note")
        return _contents({name: content[name] for name in names}) if {*names} <= {*content.files} else None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as content:
            if int(content["version"]) != VERSION:
                raise InputError(f"{path} is of version {content['version']}, {VERSION} was expected; make it again.")
            yield content
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is no data base of partitions ({error}); make it again.") from error


def _put_by(partitions: Iterable[Partition], maps: dict[str, GrowingArray], path: Path) -> Arrays:
    """Put the maps on the disk and return what is small."""
    told, sizes = [], set()
    for part in partitions:
        sizes.add((part.transform.shape, part.window))
        if len(sizes) > 1:
            raise InputError(f"{path.stem}: partitions of one size were expected; found {sorted(sizes)}.")
        for name, growing in maps.items():
            growing.append(getattr(part, name))
        told.append((part.slice_types, part.temporal_id, part.order_count, part.is_whole))
    if not told:
        raise InputError(f"{path.stem}: partitions of one size were expected, at least one; found none.")
    names = ("slice_types", "temporal_id", "order_count", "is_whole")
    columns = {name: np.array(column) for name, column in zip(names, zip(*told, strict=True), strict=True)}
    return {**columns, "window": np.array(sizes.pop()[1])}


def _contents(arrays: Arrays) -> Contents:
    return Contents(
        len(arrays["is_whole"]),
        int(arrays["is_whole"].sum()),
        int(arrays["frames_asked"]) or None,
        str(arrays["note"]) or None,
    )


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
