"""The order of coding tree blocks, against pictures of tiles drawn by hand."""

import pytest

from runtime.hevc.bit_reader import BitstreamError
from runtime.hevc.picture_parameters import TileGrid
from runtime.hevc.tiles import tile_order


def test_without_tiles_blocks_come_row_by_row():
    order = tile_order(None, 3, 2)
    assert order.address_of.tolist() == order.place_of.tolist() == [0, 1, 2, 3, 4, 5]
    assert (order.tile_of.tolist(), order.first_column.tolist()) == ([0] * 6, [0] * 3)


def test_tiles_come_one_after_the_other():
    order = tile_order(TileGrid(2, 2, (3,), (2,)), 5, 3)
    assert order.address_of.tolist() == [0, 1, 2, 5, 6, 7, 3, 4, 8, 9, 10, 11, 12, 13, 14]
    assert [order.place_of[address] for address in order.address_of] == list(range(15))
    assert order.tile_of.tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert order.first_column.tolist() == [0, 0, 0, 3, 3]


def test_even_tiles_differ_by_one_block_at_most():
    assert tile_order(TileGrid(3, 1, None, None), 8, 1).first_column.tolist() == [0, 0, 2, 2, 2, 5, 5, 5]


@pytest.mark.parametrize("grid", [TileGrid(4, 1, None, None), TileGrid(2, 1, (3,), ()), TileGrid(2, 1, (5,), ())])
def test_tiles_that_do_not_fit_are_refused(grid):
    with pytest.raises(BitstreamError, match="tiles"):
        tile_order(grid, 3, 2)
