import json
from pathlib import Path

import pytest
import torch

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import ModelError, UsageError
from cvqe.macs import count_macs
from cvqe.models import create, takes_guide
from cvqe.models.mganet import FUSIONS

OFFICIAL_SHAPES = json.loads(Path(__file__).with_name("mganet_official.json").read_text())
PLAIN_GMACS = {1: 294.5, 2: 419.8}  # of F3 and F5 at 416x240 when every step of both directions is computed as a whole
ATOL = 1e-6  # the same float32 operations in the same order


def small(**options):
    torch.manual_seed(0)
    return create("mganet", channels=4, **options).eval()


def inputs(radius=1, size=(20, 28), n=1):
    torch.manual_seed(1)
    return torch.rand(n, 2 * radius + 1, *size), torch.rand(n, 1, *size)


def n_parameters(**options):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in create("mganet", **options).parameters())


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"radius": 0}, 33_622_620),
        ({}, 33_697_756),
        ({"radius": 2}, 33_772_892),
        ({"fusion": "brclstm-add"}, 33_689_500),
    ],
)
def test_it_has_the_parameters_of_the_published_networks(options, expected):
    assert n_parameters(**options) == expected


def test_tensors_have_the_names_and_shapes_of_the_public_checkpoint():
    with torch.device("meta"):
        network = create("mganet")
    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == OFFICIAL_SHAPES


@pytest.mark.parametrize("radius, most_share", [(1, 0.65), (2, 0.61)])
def test_the_lstm_saves_what_it_is_meant_to(radius, most_share):
    with torch.device("meta"):
        network = create("mganet", radius=radius)
    assert count_macs(network, 240, 416) / 1e9 < most_share * PLAIN_GMACS[radius]


@pytest.mark.parametrize("options", [{"radius": 0}, {"radius": 2}, {"fusion": "brclstm-add"}, {"guided": False}])
def test_an_official_state_dict_loads_as_what_it_is(tmp_path, options):
    network = small(**options)
    torch.save(network.state_dict(), tmp_path / "official.pth")
    loaded = network_from_checkpoint(load_checkpoint(tmp_path / "official.pth"))
    window, guide = inputs(network.radius)
    told = [guide] * takes_guide(network)
    assert takes_guide(loaded) == takes_guide(network)
    torch.testing.assert_close(loaded(window, *told), network(window, *told), atol=ATOL, rtol=0)


def test_a_state_dict_that_lacks_a_tensor_is_refused(tmp_path):
    weights = small().state_dict()
    del weights["conv3_1.0.bias"]
    torch.save(weights, tmp_path / "cut.pth")
    with pytest.raises(ModelError, match=r"conv3_1\.0\.bias"):
        network_from_checkpoint(load_checkpoint(tmp_path / "cut.pth"))


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("radius", [0, 1, 2])
def test_every_frame_and_the_guide_matter_in_every_fusion(fusion, radius):
    network = small(fusion=fusion, radius=radius)
    window, guide = inputs(radius)
    before = network.images(window, guide).enhanced
    for i in range(2 * radius + 1):
        changed = window.clone()
        changed[:, i] = 1 - changed[:, i]
        assert not torch.allclose(network.images(changed, guide).enhanced, before, atol=ATOL)
    assert not torch.allclose(network.images(window, 1 - guide).enhanced, before, atol=ATOL)


@pytest.mark.parametrize("size", [(2, 2), (17, 31), (33, 16), (48, 64)])
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"residual": True, "shrink": 2, "levels": 3}])
def test_any_size_comes_out_as_it_went_in_with_images_of_half_of_it(size, options):
    network = small(**options)
    images = network.images(*inputs(size=size))
    assert images.enhanced.shape == (1, 1, *size)
    for side_px, image in zip(images.sides_px, images.intermediate, strict=True):
        assert image.shape[-2:] == tuple(-(-side // side_px) for side in size)


def test_a_shrunk_networks_first_layer_is_a_3x3_over_places():
    layer = small(shrink=2).pre_conv1[0]
    plane = torch.rand(1, 1, 12, 20)
    places = torch.nn.functional.pixel_unshuffle(plane, 2)
    kernel = torch.nn.functional.pixel_unshuffle(layer.weight, 2)
    expected = torch.nn.functional.conv2d(places, kernel, layer.bias, padding=1)
    torch.testing.assert_close(layer(plane), expected, atol=ATOL, rtol=0)


def test_a_shrunk_networks_channels_are_its_places_pixels():
    network = small(shrink=2, residual=True)
    torch.nn.init.zeros_(network.output3[0].weight)
    network.output3[0].bias.data = torch.tensor([0.1, 0.2, 0.3, 0.4])
    window, guide = inputs(size=(5, 7))
    drawn = (network(window, guide) - window[:, 1:2])[0, 0]
    expected = torch.tensor([[0.1, 0.2], [0.3, 0.4]]).repeat(3, 4)[:5, :7]
    torch.testing.assert_close(drawn, expected, atol=ATOL, rtol=0)


def test_the_sums_go_to_the_decoder_and_not_to_the_next_level():
    """Give the guide's stream a level of its own: what the image's stream makes of the next one must not change."""
    network = small()
    window, guide = inputs()
    features = network.fuse(window)
    guided = network.conv2_mask(network.conv1_mask(guide))
    levels = network.encode([features, guided])
    alone, of_guide = network.encode([features]), network.encode([guided])
    for both, image, mosaic in zip(levels, alone, of_guide, strict=True):
        torch.testing.assert_close(both, image + mosaic, atol=ATOL, rtol=0)


def test_a_residual_network_that_draws_nothing_returns_its_target():
    network = small(residual=True)
    for layer in network.last_layers():
        torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(network.output3[0].bias)
    window, guide = inputs()
    torch.testing.assert_close(network(window, guide), window[:, 1:2], atol=0, rtol=0)


def test_a_batch_is_its_pictures():
    network = small()
    window, guide = inputs(n=3)
    whole = network(window, guide)
    for i in range(3):
        torch.testing.assert_close(network(window[i : i + 1], guide[i : i + 1]), whole[i : i + 1], atol=1e-5, rtol=0)


def test_an_unknown_fusion_is_named():
    with pytest.raises(UsageError, match=r"'late'.*brclstm"):
        create("mganet", fusion="late")
