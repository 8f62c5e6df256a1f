"""What reads HEVC's transform units, compiled and ready before the first frame; or, in words, why there is nothing."""

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from cvqe.frame import luma_shape
from cvqe.partition import CELL_PX, Partition, ShownWindow
from runtime.packages import pip

if TYPE_CHECKING:  # it needs numba
    from runtime.hevc.partition_reader import PartitionReader

log = logging.getLogger(__name__)
NEEDS = "numba"


def hevc_parser(extradata: bytes | None, depth: int = 8) -> "PartitionReader | str":
    """Return the reader of a stream's partitions, its guided maps compiled; else why not, a few words, logged in full.

    Args:
        extradata: what the container stores outside the packets.
        depth: bits of a luma sample.
    """
    try:
        from runtime.hevc.partition_reader import PartitionReader

        reader = PartitionReader(extradata)
        _compile_guided_map(depth)
        return reader
    # Numba that doesn't fit its NumPy, finds no folder to write to, can't compile here: each fails in a way of its own
    except Exception as error:
        obstacle, remedy = _explained(error)
    log.warning(
        "HEVC's transform units can't be read (%s), so a network that is guided by them gets a fixed grid instead.\n%s",
        obstacle,
        remedy,
    )
    return obstacle


def _explained(error: Exception) -> tuple[str, str]:
    """Say what is missing, and what to do about it."""
    if find_spec(NEEDS) is None:
        return f"no {NEEDS} to read the bitstream with", f"Install what reads them:  {pip('install', NEEDS)}"
    obstacle = f"{NEEDS} is installed but fails: {type(error).__name__}: {str(error).strip()}".splitlines()[0]
    if isinstance(error, ImportError):
        return obstacle, f"Install it again:  {pip('install', '--force-reinstall', '--no-deps', NEEDS)}"
    return obstacle, "If it finds no folder to keep compiled code in, name one:  export NUMBA_CACHE_DIR=FOLDER"


def _compile_guided_map(depth: int) -> None:
    """Call it as frames of this depth will."""
    from runtime.hevc.guided_map import guided_map

    cells = np.full((1, 1), 2, np.uint8)
    partition = Partition(cells, cells, cells, cells.view(np.int8), ShownWindow(0, 0, CELL_PX, CELL_PX), "I")
    rows = np.zeros(luma_shape(CELL_PX, 2 * CELL_PX, depth), np.uint8)
    for luma in (rows[:, :CELL_PX].copy(), rows[:, :CELL_PX]):  # a frame's rows may be padded or not
        guided_map(luma, partition)
