import pytest
import torch

from cvqe.layers.fusion_unet import FusionUNet, pad_edges


@pytest.mark.parametrize("height, width", [(1, 1), (2, 2), (8, 16), (9, 17), (15, 3)])
def test_padding_repeats_the_last_row_and_column_up_to_the_multiple(height, width):
    x = torch.rand(2, 3, height, width)
    padded = pad_edges(x, 8)
    rows = [min(row, height - 1) for row in range(-(-height // 8) * 8)]
    columns = [min(column, width - 1) for column in range(-(-width // 8) * 8)]
    assert torch.equal(padded, x[:, :, rows][..., columns])


@pytest.mark.parametrize("height, width", [(1, 1), (8, 8), (17, 31)])
def test_the_result_is_as_large_as_the_input_and_as_if_padded_by_hand(height, width):
    torch.manual_seed(0)
    unet, x = FusionUNet(4), torch.rand(1, 4, height, width)
    y = unet(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y, unet(pad_edges(x, 8))[..., :height, :width])
