"""Tables of orders, against the drawings of H.265's chapter 6.5 and against each other."""

import pytest

from runtime.hevc.scans import DIAGONAL, HORIZONTAL, SCAN_NUMBER, SCAN_X, SCAN_Y, VERTICAL, Z_LARGEST, Z_X, Z_Y


def numbers(log2: int, scan: int) -> list[int]:
    return SCAN_NUMBER[log2, scan, : 1 << 2 * log2].tolist()


def test_orders_of_a_group_are_those_of_the_standard():
    assert numbers(2, DIAGONAL) == [0, 2, 5, 9, 1, 4, 8, 12, 3, 7, 11, 14, 6, 10, 13, 15]
    assert numbers(2, HORIZONTAL) == list(range(16))
    assert numbers(2, VERTICAL) == [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]


@pytest.mark.parametrize("scan", [DIAGONAL, HORIZONTAL, VERTICAL])
@pytest.mark.parametrize("log2", range(4))
def test_places_and_numbers_are_each_others_inverse(log2, scan):
    n = 1 << 2 * log2
    places = (SCAN_Y[log2, scan, :n].astype(int) << log2) | SCAN_X[log2, scan, :n]
    assert [numbers(log2, scan)[place] for place in places] == list(range(n))


def test_cells_come_in_z_order_and_tell_the_largest_block_there():
    assert list(zip(Z_X[:8].tolist(), Z_Y[:8].tolist(), strict=True)) == [
        *[(0, 0), (1, 0), (0, 1), (1, 1)],
        *[(2, 0), (3, 0), (2, 1), (3, 1)],
    ]
    assert Z_LARGEST[:17].tolist() == [6, 2, 2, 2, 3, 2, 2, 2, 3, 2, 2, 2, 3, 2, 2, 2, 4]
    assert len(set(zip(Z_X.tolist(), Z_Y.tolist(), strict=True))) == 256
