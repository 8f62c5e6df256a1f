"""The order that coding tree blocks come in: tile after tile, in each row by row (6.5.1).

 0  1  2 |  6  7        tile_of    0 0 0 1 1
 3  4  5 |  8  9                   0 0 0 1 1
---------+------                   2 2 2 3 3
10 11 12 | 13 14        first_column  0 0 0 3 3
"""

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.hevc.bit_reader import required
from runtime.hevc.picture_parameters import TileGrid

_WHOLE_PICTURE = TileGrid(1, 1, None, None)


class TileOrder(NamedTuple):
    """Tables over a picture's blocks; an address counts them in raster order.

    Attributes:
        address_of: int32 [n], by place in the order of coding.
        place_of: int32 [n], by address.
        tile_of: int32 [n], by address.
        first_column: int32 [columns], of the tile that a column belongs to.
    """

    address_of: NDArray[np.int32]
    place_of: NDArray[np.int32]
    tile_of: NDArray[np.int32]
    first_column: NDArray[np.int32]


def tile_order(grid: TileGrid | None, n_columns: int, n_rows: int) -> TileOrder:
    """Lay out a picture of so many blocks side by side and one below the other.

    Raises:
        BitstreamError: the tiles don't fit into it.
    """
    grid = grid or _WHOLE_PICTURE
    x_starts = _starts(n_columns, grid.n_columns, grid.column_widths)
    y_starts = _starts(n_rows, grid.n_rows, grid.row_heights)
    column_tiles = np.searchsorted(x_starts, np.arange(n_columns), side="right") - 1
    row_tiles = np.searchsorted(y_starts, np.arange(n_rows), side="right") - 1
    tile_of = (row_tiles[:, None] * grid.n_columns + column_tiles).reshape(-1)
    address_of = np.argsort(tile_of, kind="stable")
    place_of = np.argsort(address_of)
    first_column = np.array(x_starts)[column_tiles]
    return TileOrder(*(table.astype(np.int32) for table in (address_of, place_of, tile_of, first_column)))


def _starts(n_blocks: int, n_tiles: int, sizes: tuple[int, ...] | None) -> list[int]:
    """Return where each tile begins along one side, (6-3) to (6-6)."""
    if sizes is None:
        required(n_tiles <= n_blocks, "the number of tiles", n_tiles, n_blocks)
        return [number * n_blocks // n_tiles for number in range(n_tiles)]
    starts = [0, *accumulate(sizes)]
    required(starts[-1] < n_blocks, "the sizes of tiles", *sizes)
    return starts
