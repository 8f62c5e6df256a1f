import pytest
import torch

from cvqe.layers.edges import pad_edges
from cvqe.layers.fusion_unet import FusionUNet


@pytest.mark.parametrize("height, width", [(1, 1), (8, 8), (17, 31)])
def test_the_result_is_as_large_as_the_input_and_as_if_padded_by_hand(height, width):
    torch.manual_seed(0)
    unet, x = FusionUNet(4), torch.rand(1, 4, height, width)
    y = unet(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y, unet(pad_edges(x, 8))[..., :height, :width])
