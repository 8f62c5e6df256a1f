import torch
from torch import nn

from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.warp import warp
from cvqe.macs import count_macs


class Layers(nn.Module):
    """Some layers behind a window of one frame."""

    radius = 0

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, window):
        return self.layers(window)


class Deformed(nn.Module):
    radius = 0

    def __init__(self, kernel):
        super().__init__()
        self.offset_mask = nn.Conv2d(1, 3 * kernel**2, 1)
        self.deform_conv = DeformConv2d(1, 7, kernel)

    def forward(self, window):
        offset_mask = self.offset_mask(window)
        n_mask = offset_mask.shape[1] // 3
        return self.deform_conv(window, offset_mask[:, n_mask:], offset_mask[:, :n_mask])


class Told(nn.Module):
    radius = 0
    takes_qp = True

    def __init__(self):
        super().__init__()
        self.strength = nn.Linear(1, 7)

    def forward(self, window, qp):
        return window * self.strength(qp[:, None])[:, :, None, None]


class Warped(nn.Module):
    radius = 0

    def __init__(self):
        super().__init__()
        self.displacement = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, window):
        return warp(window, self.displacement(window))


def test_a_convolution_counts_its_outputs_times_its_weights():
    assert count_macs(Layers(nn.Conv2d(1, 5, 3, padding=1)), 6, 8) == 6 * 8 * 5 * 9
    assert count_macs(Layers(nn.Conv2d(1, 5, 3, padding=1, stride=2)), 6, 8) == 3 * 4 * 5 * 9


def test_groups_count_only_the_weights_there_are():
    layers = nn.Conv2d(1, 6, 1), nn.Conv2d(6, 6, 3, padding=1, groups=3)
    assert count_macs(Layers(*layers), 4, 5) == 4 * 5 * (6 + 6 * 2 * 9)


def test_a_transposed_convolution_counts_its_inputs_times_its_weights():
    assert count_macs(Layers(nn.ConvTranspose2d(1, 5, 4, stride=2, padding=1)), 6, 8) == 6 * 8 * 5 * 16


def test_a_linear_layer_counts_its_weights():
    assert count_macs(Layers(nn.Flatten(), nn.Linear(48, 10)), 6, 8) == 480


def test_a_deformable_convolution_counts_its_weights_and_not_its_sampling():
    assert count_macs(Deformed(3), 6, 8) == 6 * 8 * (27 + 7 * 9)


def test_a_warp_is_sampling_only():
    assert count_macs(Warped(), 6, 8) == 6 * 8 * 2 * 9


def test_a_network_that_takes_a_qp_is_counted_with_one():
    assert count_macs(Told(), 6, 8) == 7


def test_a_large_frame_costs_no_memory_and_the_model_stays_where_it_was():
    model = Layers(nn.Conv2d(1, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert count_macs(model, 100_000, 100_000) == 64 * 9 * 10**10
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
