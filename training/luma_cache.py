"""Decoded luma kept as arrays on disk: a second start maps them into memory instead of decoding."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from training.file_key import key_of

Luma = NDArray[np.uint8]


class LumaCache:
    """One .npy for each clip, keyed by its path, size and time of change; several processes may share a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, clip: Path) -> Luma:
        """Return a clip's luma [T, H, W], read-only and mapped from disk.

        Raises:
            InputError: the clip can't be decoded, or the folder can't be written.
        """
        kept = self.folder / f"{clip.stem}_{key_of(clip)}.npy"
        if not kept.exists():
            self._keep(clip, kept)
        try:
            luma: Luma = np.load(kept, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{kept} is damaged ({error}); delete it, it is made again.") from error
        return luma

    def _keep(self, clip: Path, kept: Path) -> None:
        from training.luma_clips import load_luma  # PyAV: not needed where everything is kept already

        luma = load_luma(clip)
        unfinished = kept.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                np.save(file, luma)
            unfinished.replace(kept)
        except OSError as error:
            if unfinished.is_file():
                unfinished.unlink()
            raise InputError(f"{self.folder} can't keep decoded clips ({error}); name another --cache.") from error
