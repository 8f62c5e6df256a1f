"""How a coder divided one picture: its blocks' sizes, modes and quantisers, one value for every 4x4 luma samples."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CELL_PX = 4  # the smallest transform of HEVC
INTER, INTRA, SKIPPED = 0, 1, 2  # prediction modes
MODES = ("inter", "intra", "skipped")


class ShownWindow(NamedTuple):
    """The part of a coded picture that is shown (H.265's conformance window), in luma samples."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Partition:
    """One coded picture's blocks; every map is [ceil(H/4), ceil(W/4)] of the coded picture, before it is cropped.

    Attributes:
        transform: log2 of the transform unit's side, 2 to 5, or up to 6 where a coding unit that has no residual counts
            as one unit; 0 where nothing was read. uint8.
        coding: log2 of the coding unit's side, 3 to 6. uint8.
        mode: INTER, INTRA or SKIPPED. uint8.
        qp: luma quantiser, below 0 above 8 bit; -64 where nothing was read. int8.
        slice_types: a letter for each slice: "I", "PP", ...
        temporal_id: sub-layer of the picture, from 0.
        order_count: PicOrderCntVal: the order of showing since the last IDR picture.
        errors: what could not be read, a sentence each.
    """

    transform: NDArray[np.uint8]
    coding: NDArray[np.uint8]
    mode: NDArray[np.uint8]
    qp: NDArray[np.int8]
    window: ShownWindow
    slice_types: str
    temporal_id: int = 0
    order_count: int = 0
    errors: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Memory that its maps take."""
        return sum(cells.nbytes for cells in (self.transform, self.coding, self.mode, self.qp))

    @property
    def is_whole(self) -> bool:
        """Whether every block was read, without an error: only such a partition may guide a network."""
        return not self.errors and bool(self.transform.all())
