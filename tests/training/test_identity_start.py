import pytest
import torch

from cvqe.errors import UsageError
from cvqe.layers.motion_compensation import LARGEST_PX
from cvqe.models import create, hidden_channels, names, takes_guide
from training.identity_start import seeing_differences, start_near_identity

FEW_LEVELS = 3 / 255  # of noise on gray; torch's own start is 9 to 31 levels off
RIM_PX = 16  # the border sees zeros beside the picture
OPTIONS = {"mganet": {"channels": 16, "residual": True}}
NAMES = [name for name in names() if name != "live"]
# untrained batch norms see brightness; CF-STIF's 3D convolutions see zeros before the first frame and behind the last
SEE_BRIGHTNESS = {"memnet", "cf_stif"}


def started(name, **options):
    """A network after its start."""
    torch.manual_seed(0)
    network = create(name, **{**OPTIONS.get(name, {}), **options})
    start_near_identity(network)
    return network


def added_to(network, window):
    """Return what a network adds to a window's target, a recurrent one at a scene's beginning."""
    target = window[:, network.radius : network.radius + 1]
    state = [torch.zeros(1, hidden_channels(network), *window.shape[2:])] * (hidden_channels(network) > 0)
    with torch.no_grad():
        outputs = network(window, *[target] * takes_guide(network), *state)
    return (outputs[0] if state else outputs) - target


@pytest.mark.parametrize("name, options", [(name, {}) for name in NAMES] + [("mfqe2", {"dense": False})])
def test_next_to_nothing_is_added(name, options):
    network = started(name, **options)
    window = 0.4 + 0.1 * torch.rand(1, 2 * network.radius + 1, 48, 48)
    assert 0.1 / 255 < added_to(network, window).abs().mean() < FEW_LEVELS


@pytest.mark.parametrize("name", sorted(set(NAMES) - SEE_BRIGHTNESS))
def test_brightness_is_not_seen(name):
    network = started(name)
    window = 0.4 + 0.1 * torch.rand(1, 2 * network.radius + 1, 48, 48)
    dark, bright = (added_to(network, each)[..., RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] for each in (window, window + 0.3))
    assert (bright - dark).abs().mean() < 0.5 * dark.abs().mean() + 1e-5


def test_a_kernel_without_a_mean_sees_the_target_most():
    torch.manual_seed(0)
    kernel = torch.randn(8, 7, 3, 3)
    changed = seeing_differences(kernel)
    torch.testing.assert_close(changed.sum((2, 3)), torch.zeros(8, 7), atol=1e-5, rtol=0)
    energy = changed.square().sum((0, 2, 3))
    assert energy.argmax() == 3
    assert energy[3] > 10 * (energy.sum() - energy[3])


def test_flows_are_fractions_of_a_pixel():
    network = started("mfqe")
    target, neighbor = torch.rand(2, 1, 1, 32, 32)
    assert (LARGEST_PX * network.motion.flow(target, neighbor)).abs().max() < 1


def test_every_layer_passes_gradients_on():
    network = started("stdf_r3", fusion=8, channels=12, fused=16)
    network(torch.rand(1, 7, 32, 32)).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("name, options", [("live", {}), ("mganet", {"channels": 4, "residual": False})])
def test_networks_that_draw_the_picture_are_refused(name, options):
    torch.manual_seed(0)
    with pytest.raises(UsageError, match='"identity" does not fit'):
        start_near_identity(create(name, **options))
