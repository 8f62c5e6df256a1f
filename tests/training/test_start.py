import pytest
import torch

from cvqe.errors import UsageError
from cvqe.models import create
from training.start import centre

FEW_LEVELS = 4 / 255  # of noise on gray; torch's own start is 9 to 31 levels off


def test_centred_first_layers_do_not_see_brightness():
    network = create("tgafnet", blocks=1)
    centre(network)
    window = torch.rand(1, 7, 24, 24)
    groups = [window[:, 2:5], window[:, 2:5] + 0.2]
    inner = (..., slice(3, -3), slice(3, -3))  # the border sees zeros beside the picture
    dark, bright = (network.inputconv[0](group)[inner] for group in groups)
    torch.testing.assert_close(dark, bright, atol=1e-4, rtol=1e-4)


def test_a_centred_network_starts_near_the_identity():
    torch.manual_seed(0)
    network = create("tgafnet", blocks=1)
    centre(network)
    window = torch.rand(1, 7, 24, 24)
    with torch.no_grad():
        assert network.residual(window).abs().mean() < 0.2


def test_a_centred_mganets_first_layers_do_not_see_brightness():
    network = create("mganet", channels=8, residual=True)
    centre(network)
    plane, inner = torch.rand(1, 1, 32, 32), (..., slice(1, -1), slice(1, -1))  # the border sees zeros beside it
    for layer in network.first_layers():
        torch.testing.assert_close(layer(plane)[inner], layer(plane + 0.2)[inner], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_centred_mganet_starts_near_the_identity(seed):
    torch.manual_seed(seed)
    network = create("mganet", channels=8, residual=True)
    window, guide = (0.5 + 0.1 * torch.rand(1, n_frames, 32, 32) for n_frames in (3, 1))
    centre(network)
    with torch.no_grad():
        images = network.images(window, guide)
    assert (images.enhanced - window[:, 1:2]).abs().mean() < FEW_LEVELS
    for i, image in enumerate(images.intermediate, 1):
        assert (image - torch.nn.functional.avg_pool2d(window[:, 1:2], 2**i)).abs().mean() < FEW_LEVELS


@pytest.mark.parametrize("network, options", [("live", {}), ("mganet", {"channels": 4})])
def test_others_start_by_default(network, options):
    with pytest.raises(UsageError, match='starts by "default"'):
        centre(create(network, **options))
