"""Transform units of coded clips, read from the bitstream once and kept as a data base of partitions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.partition import Partition
from runtime.hevc.database import load_transforms, save_partitions
from training.file_key import key_of

Transforms = NDArray[np.uint8]


class PartitionCache:
    """One .npz for each clip, as runtime/hevc/database.py says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, clip: Path) -> Transforms:
        """Return the log2 side of every 4x4's transform unit, [T, ceil(H/4), ceil(W/4)].

        Raises:
            InputError: it is no HEVC video whose partition can be read as a whole, or the folder can't be written.
        """
        kept = self.folder / f"{clip.stem}_{key_of(clip)}_partition.npz"
        if not kept.exists():
            self._save(clip, kept)
        return load_transforms(kept)

    def _save(self, clip: Path, kept: Path) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_partitions(whole_partitions(clip), kept)
        except OSError as error:
            raise InputError(f"{kept} can't be written ({error.strerror}); give another folder.") from error


def whole_partitions(clip: Path) -> Iterator[Partition]:
    """Decode a clip and yield each frame's partition.

    Raises:
        InputError: at the end, when a frame had none, or not a whole one.
    """
    # PyAV: not needed where everything is kept already
    from cvqe.frame import Frame
    from runtime.decoder import open_source

    broken = []
    with open_source(clip, with_partitions=True) as source:
        for item in source.items():
            if isinstance(item, Frame):
                if item.partition is None or not item.partition.is_whole:
                    broken.append(item.number)
                else:
                    yield item.partition
    if broken:
        raise InputError(
            f"{clip}: the transform units of {len(broken)} frames can't be read (first: {broken[0]}); an undamaged "
            "HEVC file was expected. Make it again with training/compress.py."
        )
