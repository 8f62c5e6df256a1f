import pytest
import torch

from tests.cvqe.models.reading import Reading
from tests.networks import made_up_network

REFERENCE_ATOL = 1e-5  # float32 against float64: two right implementations differ by 1e-6 to 1e-5
SMALL = {"fusion": 8, "channels": 8, "hidden": 2}


def reading_of(network, window):
    """Follow the specification step by step."""
    read = Reading(network)
    y = read.relu_conv("qenet.in_conv.0", read.fusion("ffnet", window))
    for place in range(network_layers(read)):
        y = read.relu_conv(f"qenet.hid_conv.{2 * place}", y)
    middle = window.shape[1] // 2
    return window[:, middle : middle + 1] + read.conv("qenet.out_conv", y)


def network_layers(read):
    return len([name for name in read.weights if name.startswith("qenet.hid_conv.") and name.endswith("weight")])


@pytest.mark.parametrize("name, n_frames", [("stdf_r1", 3), ("stdf_r3", 7), ("stdf_r3l", 7)])
@pytest.mark.parametrize("height, width", [(2, 2), (9, 21)])
def test_it_equals_a_slow_reading_of_the_specification(name, n_frames, height, width):
    network = made_up_network(name, **SMALL)
    window = torch.rand(1, n_frames, height, width)
    with torch.no_grad():
        enhanced, expected = network(window), reading_of(network, window.double())
    torch.testing.assert_close(enhanced.double(), expected, atol=REFERENCE_ATOL, rtol=0)
    assert (enhanced - window[:, n_frames // 2, None]).abs().max() > 0.001  # it did something
