import pytest
import torch
from torch import nn

from cvqe.macs import count_macs
from cvqe.models import create
from cvqe.thop_macs import thop_macs
from tests.cvqe.test_macs import Deformed, Layers, Told


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_counts_its_outputs_times_its_weights(stride):
    layers = Layers(nn.Conv2d(1, 6, 3, padding=1, stride=stride), nn.Conv2d(6, 6, 3, padding=1, groups=3))
    assert thop_macs(layers, 6, 8) == count_macs(layers, 6, 8) == 6 * 8 // stride**2 * (6 * 9 + 6 * 2 * 9)


def test_a_transposed_convolution_counts_its_outputs_too_which_is_fourfold():
    layers = Layers(nn.Conv2d(1, 3, 1), nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1))
    assert thop_macs(layers, 6, 8) == 6 * 8 * 3 + 4 * 6 * 8 * 3 * 5 * 16


def test_a_deformable_convolution_counts_nothing():
    assert thop_macs(Deformed(3), 6, 8) == 6 * 8 * 27


def test_products_of_features_count_nothing_and_linear_layers_do():
    class Attention(nn.Module):
        radius = 0

        def forward(self, window):
            return window @ window.mT

    assert count_macs(Attention(), 6, 8) == 6 * 8 * 6
    assert thop_macs(Attention(), 6, 8) == 0
    assert thop_macs(Told(), 6, 8) == 7


def test_tgafnet_has_what_its_paper_prints_and_stays_where_it_was():
    network = create("tgafnet")
    assert round(thop_macs(network, 240, 416) / 1e9, 2) == 143.27  # printed: 143.2 G
    assert next(network.parameters()).device == torch.device("cpu")
