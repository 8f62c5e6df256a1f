"""What is read of a clip, kept as an array on disk: a second start maps it into memory instead of decoding."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from training.file_key import key_of

Luma = NDArray[np.uint8]
Read = Callable[[Path], NDArray[Any]]


class ArrayCache:
    """One .npy for each clip, keyed by its path, size and time of change; several processes may share a folder."""

    def __init__(self, folder: Path, read: Read, ending: str = "") -> None:
        """Take what reads a clip, and an ending of the files' names that no other cache of the folder has."""
        self.folder, self._read, self._ending = folder, read, ending

    def load(self, clip: Path) -> NDArray[Any]:
        """Return a clip's array, read-only and mapped from disk.

        Raises:
            InputError: the clip can't be read, or the folder can't be written.
        """
        kept = self.folder / f"{clip.stem}_{key_of(clip)}{self._ending}.npy"
        if not kept.exists():
            self._keep(clip, kept)
        try:
            array: NDArray[Any] = np.load(kept, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{kept} is damaged ({error}); delete it, it is made again.") from error
        return array

    def _keep(self, clip: Path, kept: Path) -> None:
        array = self._read(clip)
        unfinished = kept.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                np.save(file, array)
            unfinished.replace(kept)
        except OSError as error:
            if unfinished.is_file():
                unfinished.unlink()
            raise InputError(f"{self.folder} can't keep decoded clips ({error}); name another --cache.") from error


def luma_cache(folder: Path) -> ArrayCache:
    """Return a cache of every frame's luma, [T, H, W] uint8."""
    return ArrayCache(folder, _luma)


def qp_cache(folder: Path) -> ArrayCache:
    """Return a cache of every frame's quantiser, [T] float32, NaN where the bitstream doesn't tell."""
    return ArrayCache(folder, _qps, "_qps")


# PyAV is not needed where everything is kept already: it is imported when a clip is read


def _luma(clip: Path) -> Luma:
    from training.luma_clips import load_luma

    return load_luma(clip)


def _qps(clip: Path) -> NDArray[np.float32]:
    from cvqe.frame import Frame
    from runtime.decoder import open_source

    with open_source(clip) as source:
        qps = [item.qp for item in source.items() if isinstance(item, Frame)]
    return np.array([np.nan if qp is None else qp for qp in qps], np.float32)
