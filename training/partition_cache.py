"""Transform units of coded clips, read from the bitstream once and kept as a data base of partitions."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.partition import Partition
from runtime.hevc.database import load_partitions, save_partitions
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
            self.folder.mkdir(parents=True, exist_ok=True)
            save_partitions(read_partitions(clip), kept)
        return np.stack([partition.transform for partition in load_partitions(kept)])


def read_partitions(clip: Path) -> list[Partition]:
    """Decode a clip and return each frame's partition.

    Raises:
        InputError: a frame has none, or not a whole one.
    """
    # PyAV: not needed where everything is kept already
    from cvqe.frame import Frame
    from runtime.decoder import open_source

    with open_source(clip, with_partitions=True) as source:
        frames = [(item.number, item.partition) for item in source.items() if isinstance(item, Frame)]
    broken = [number for number, partition in frames if partition is None or not partition.is_whole]
    if broken:
        raise InputError(
            f"{clip}: the transform units of {len(broken)} frames can't be read (first: {broken[0]}); an undamaged "
            "HEVC file was expected. Make it again with training/compress.py."
        )
    return [partition for _, partition in frames if partition is not None]
