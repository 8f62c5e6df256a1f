"""Live: counts, sizes, and what its first layer must not see."""

import pytest
import torch

from cvqe.macs import count_macs
from cvqe.models import create
from cvqe.models.live import DifferenceConv2d
from tests.networks import made_up_network


def test_counts():
    network = create("live")
    assert sum(parameter.numel() for parameter in network.parameters()) == 193_028
    assert count_macs(network, 720, 1280) == pytest.approx(15_488 * 720 * 1280, rel=0.02)  # the padded rim is counted


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (17, 31), (8, 8)])
def test_every_size_comes_out_as_it_is(size):
    assert made_up_network("live")(torch.rand(2, 7, *size)).shape == (2, 1, *size)


def test_the_first_layer_sees_differences_only():
    layer = DifferenceConv2d(7, 4, 6, stride=2)
    picture = 255 * torch.rand(1, 1, 20, 20)
    brighter = (picture + 40).expand(1, 7, 20, 20)
    torch.testing.assert_close(layer(picture.expand(1, 7, 20, 20)), layer(brighter), atol=1e-4, rtol=0)
    assert not torch.allclose(layer(brighter), layer(brighter * torch.linspace(0.9, 1.1, 7)[None, :, None, None]))


def test_the_first_layer_is_a_plain_convolution_of_differences():
    torch.manual_seed(0)
    layer = DifferenceConv2d(7, 4, 6, stride=2)
    window = 255 * torch.rand(1, 7, 14, 18)
    target = window[:, 3:4]
    parts = torch.cat([window[:, :3] - target, target, window[:, 4:] - target], 1) * (4 / 255)
    weight = layer.weight.clone()
    weight[:, 3] -= weight[:, 3].mean((1, 2), keepdim=True)
    expected = torch.nn.functional.conv2d(parts, weight, layer.bias, stride=2)
    torch.testing.assert_close(layer(window), expected, atol=2e-5, rtol=1e-4)
