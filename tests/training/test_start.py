import pytest
import torch

from cvqe.errors import UsageError
from cvqe.models import create
from training.start import centre


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


def test_only_tgafnet_is_centred():
    with pytest.raises(UsageError, match="Live starts by"):
        centre(create("live"))
