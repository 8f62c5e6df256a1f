import math

import pytest
import torch
from torch import nn

from cvqe.layers.motion_compensation import LARGEST_PX, MotionCompensation, halving


def of_constant_flow(**steps):
    """Return one whose steps give a flow (x, y) in pixels, the same everywhere."""
    network = MotionCompensation()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    for name, flow_px in steps.items():
        bias = getattr(network, name).layers[-1].bias
        for values, px in zip(bias.data.chunk(2), flow_px, strict=True):
            values.fill_(math.atanh(px / LARGEST_PX))
    return network


def test_it_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in MotionCompensation().parameters()) == 70_842


@pytest.mark.parametrize(
    "steps, right, down",
    [
        ({"coarse": (3, 0)}, 3, 0),
        ({"coarse": (0, 2)}, 0, 2),
        ({"coarse": (4, 1), "middle": (-1, 1), "fine": (-2, 0)}, 1, 2),
    ],
)
def test_its_steps_add_up_to_one_flow_x_before_y_in_units_of_64_px(steps, right, down):
    neighbor = torch.rand(1, 1, 13, 18)
    with torch.no_grad():
        moved = of_constant_flow(**steps)(torch.rand_like(neighbor), neighbor)
    shown = moved[..., : 13 - down, : 18 - right]
    torch.testing.assert_close(shown, neighbor[..., down:, right:], atol=1e-5, rtol=0)  # of coordinates in float32
    assert not moved[..., 13 - down :, :].any()


def test_its_strided_convolutions_pad_one_pixel_before_and_two_behind():
    pad, conv = halving(1, 24)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    conv.weight.data[:, :, 0, 0] = 1  # the corner of the kernel
    x = torch.rand(1, 1, 8, 6)
    y = conv(pad(x))
    assert y.shape == (1, 24, 4, 3)
    torch.testing.assert_close(y[:, :1, 1:, 1:], x[..., 1:-1:2, 1:-1:2])


def test_in_half_precision_places_are_still_float32():
    network = of_constant_flow(coarse=(3, 0)).to(torch.bfloat16)
    neighbor = torch.rand(1, 1, 4, 400).to(torch.bfloat16)
    with torch.no_grad():
        moved = network(torch.rand_like(neighbor), neighbor)
    # a coordinate of 300 in bfloat16 moves in steps of 2 px: another pixel altogether
    assert (moved[..., :-4] - neighbor[..., 3:-1]).abs().mean() < 0.05
