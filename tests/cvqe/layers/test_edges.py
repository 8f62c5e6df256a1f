import pytest
import torch

from cvqe.layers.edges import pad_edges, pad_to_least


@pytest.mark.parametrize("height, width", [(1, 1), (2, 2), (8, 16), (9, 17), (15, 3)])
def test_padding_repeats_the_last_row_and_column_up_to_the_multiple(height, width):
    x = torch.rand(2, 3, height, width)
    padded = pad_edges(x, 8)
    rows = [min(row, height - 1) for row in range(-(-height // 8) * 8)]
    columns = [min(column, width - 1) for column in range(-(-width // 8) * 8)]
    assert torch.equal(padded, x[:, :, rows][..., columns])


@pytest.mark.parametrize("height, width, expected", [(1, 2, (15, 15)), (15, 9, (15, 15)), (20, 3, (20, 15))])
def test_padding_to_a_least_size_repeats_the_last_row_and_column(height, width, expected):
    x = torch.rand(2, 3, height, width)
    padded = pad_to_least(x, 15)
    rows = [min(row, height - 1) for row in range(expected[0])]
    columns = [min(column, width - 1) for column in range(expected[1])]
    assert torch.equal(padded, x[:, :, rows][..., columns])


def test_what_is_large_enough_stays_as_it_is():
    x = torch.rand(1, 2, 15, 17)
    assert torch.equal(pad_to_least(x, 15), x)
