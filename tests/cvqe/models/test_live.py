"""Live: counts, sizes, what its first layers must not see, where it looks, and what the QP changes."""

import pytest
import torch
from torch.nn import functional as F

from cvqe.layers.warp import warp
from cvqe.macs import count_macs
from cvqe.models import create
from cvqe.models.live import DifferenceConv2d, Displacement, whole_cells
from tests.networks import made_up_network

QP = torch.tensor([37.0])


def random_window(height, width, n=1, seed=0):
    return torch.rand((n, 7, height, width), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "options, parameters, macs_per_px", [({}, 693_024, 11_196), ({"channels": 96, "blocks": 4}, 1_302_496, 49_116)]
)
def test_counts(options, parameters, macs_per_px):
    network = create("live", **options)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert count_macs(network, 720, 1280) // (720 * 1280) == macs_per_px


def test_the_default_stays_below_15_kmac_a_pixel():
    assert count_macs(create("live"), 720, 1280) < 15_000 * 720 * 1280


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (17, 31), (16, 16), (50, 70)])
def test_every_size_comes_out_as_it_is(size):
    with torch.no_grad():
        assert made_up_network("live")(random_window(*size, n=2), QP.expand(2)).shape == (2, 1, *size)


def test_frames_before_the_target_are_not_read():
    network = made_up_network("live")
    window = random_window(32, 48)
    other = torch.cat([torch.rand(1, 3, 32, 48), window[:, 3:]], 1)
    with torch.no_grad():
        torch.testing.assert_close(network(window, QP), network(other, QP), atol=0, rtol=0)


def test_the_qp_changes_what_is_added():
    network = made_up_network("live")
    window = random_window(32, 48)
    with torch.no_grad():
        fine, coarse = (network.residual(window, torch.tensor([qp])) for qp in (22.0, 37.0))
    assert (fine - coarse).abs().max() > 1e-3


def test_a_fresh_network_is_near_the_identity():
    torch.manual_seed(0)
    with torch.no_grad():
        assert (
            create("live").residual(random_window(48, 64), QP).abs().mean() < 0.05
        )  # on noise, whose differences are far above any picture's


def test_first_layers_see_differences_only():
    layer = DifferenceConv2d(4, n_frames=4, n_aligned=2, stride=4)
    picture = 255 * torch.rand(1, 1, 24, 24)

    def see(frame):
        return layer(frame.expand(1, 4, 24, 24), frame.expand(1, 2, 24, 24))

    torch.testing.assert_close(see(picture), see(picture + 40), atol=1e-4, rtol=0)
    flicker = picture * torch.linspace(0.9, 1.1, 4)[None, :, None, None]
    assert not torch.allclose(see(picture), layer(flicker, picture.expand(1, 2, 24, 24)))


@pytest.mark.parametrize("shrink", [1, 2])
def test_first_layers_are_plain_convolutions_of_differences(shrink):
    torch.manual_seed(0)
    layer = DifferenceConv2d(4, n_frames=3, n_aligned=2, stride=4, shrink=shrink)
    frames, aligned = 255 * torch.rand(1, 3, 24, 32), 255 * torch.rand(1, 2, 24 // shrink, 32 // shrink)
    target = frames[:, :1]
    weight = layer.weight.clone()
    weight[:, 0] -= weight[:, 0].mean((1, 2), keepdim=True)
    parts = torch.cat([target, frames[:, 1:] - target], 1) * 4 / 255
    expected = F.conv2d(parts, weight, layer.bias, stride=4)
    differences = (aligned - F.avg_pool2d(target, shrink)) * 4 / 255
    expected += F.conv2d(differences, layer.aligned, stride=4 // shrink)
    torch.testing.assert_close(layer(frames, aligned), expected, atol=1e-4, rtol=1e-4)


def test_displacements_of_a_cell_start_alike():
    torch.manual_seed(0)
    displacement = Displacement(8, n_neighbors=2, cell=4, unit=1.0)(torch.rand(1, 8, 3, 5))
    assert displacement.shape == (1, 4, 12, 20)
    torch.testing.assert_close(
        displacement, displacement[..., ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3)
    )


def test_each_pass_starts_as_the_one_before():
    torch.manual_seed(0)
    network = create("live")
    network.motion.fine.weight.data[:, :64] = 0
    sight = network.sight(random_window(48, 64), QP)
    assert torch.equal(sight.near, sight.far)
    assert sight.far.abs().max() > 0.1
    torch.testing.assert_close(sight.displacement[..., ::8, ::8], 2 * sight.near[..., ::4, ::4], atol=1e-5, rtol=1e-5)


def test_sight_tells_where_the_neighbors_were_read():
    network = made_up_network("live")
    window = random_window(20, 36)
    with torch.no_grad():
        sight = network.sight(window, QP)
        assert torch.equal(sight.enhanced, network(window, QP))
    neighbors = whole_cells(network.neighbors(window))
    assert torch.equal(neighbors[..., :20, :36], window[:, [4, 6]])
    assert warp(neighbors, sight.displacement).shape == (1, 2, 32, 48)
    assert sight.near.shape == sight.far.shape == (1, 4, 16, 24)
