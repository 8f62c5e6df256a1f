import pytest
import torch
from torch.nn import functional as F

from tests.cvqe.models.reading import Reading
from tests.networks import made_up_network

REFERENCE_ATOL = 1e-5  # float32 against float64: two right implementations differ by 1e-6 to 1e-5
SMALL = {"fused": 8, "fusion": 8, "channels": 16, "hidden": 2}


@pytest.fixture(scope="module")
def network():
    return made_up_network("rfda", **SMALL)


def attention(read, name, x):
    """Follow the specification of a DSTA block, on a frame of 15x15 at least."""
    a = read.conv(f"{name}.conv1", x)
    v = F.max_pool2d(read.conv(f"{name}.conv2", a, stride=2, padding=0), 7, 3)
    t = v
    for layer in ("conv_max", "conv3", "conv3_"):
        t = read.relu_conv(f"{name}.{layer}", t)
    far = read.conv(f"{name}.mask2", read.relu_conv(f"{name}.down_conv2.0", t, 2))
    o = read.conv(f"{name}.mask", t) + F.interpolate(far, t.shape[-2:], mode="bilinear", align_corners=False)
    t = read.deform(f"{name}.dcn", v, o)
    of_channel = read.conv(f"{name}.conv_du.2", read.relu_conv(f"{name}.conv_du.0", t.mean((2, 3), keepdim=True)))
    wide = F.interpolate(t, x.shape[-2:], mode="bilinear", align_corners=False)
    of_place = read.conv(f"{name}.conv4", wide + read.conv(f"{name}.conv_f", a))
    return x * of_place.sigmoid() * of_channel.sigmoid()


def reading_of(network, window, hidden):
    """Follow the specification step by step."""
    read = Reading(network)
    aligned = read.fusion("ffnet", window)
    recalled = read.fusion("wpnet", torch.cat((aligned, hidden), 1))
    both = torch.cat((aligned, recalled), 1)
    refined = 0.2 * read.relu_conv("fuse.2", read.relu_conv("fuse.0", both)) + aligned
    y = read.relu_conv("qenet.in_conv.0", refined)
    for place in (0, 3):
        y = attention(read, f"qenet.hid_conv.{place + 2}", read.relu_conv(f"qenet.hid_conv.{place}", y))
    return window[:, 3:4] + read.conv("qenet.out_conv", y), refined


@pytest.mark.parametrize("height, width", [(15, 15), (20, 37)])
def test_it_equals_a_slow_reading_of_the_specification(network, height, width):
    window, hidden = torch.rand(1, 7, height, width), torch.rand(1, 8, height, width)
    with torch.no_grad():
        enhanced, kept = network(window, hidden)
        expected, expected_kept = reading_of(network, window.double(), hidden.double())
    torch.testing.assert_close(enhanced.double(), expected, atol=REFERENCE_ATOL, rtol=0)
    torch.testing.assert_close(kept.double(), expected_kept, atol=REFERENCE_ATOL, rtol=0)


def test_what_it_leaves_behind_is_heard_by_the_next_frame(network):
    first, second = torch.rand(2, 1, 7, 16, 16)
    none = torch.zeros(1, 8, 16, 16)
    with torch.no_grad():
        _, kept = network(first, none)
        assert (network(second, kept)[0] - network(second, none)[0]).abs().max() > 1e-3


@pytest.mark.parametrize("height, width", [(3, 40), (14, 14)])
def test_a_frame_too_small_for_its_attention_is_enhanced_as_if_its_edges_went_on(network, height, width):
    block = network.qenet.hid_conv[2]
    inside = torch.rand(1, 4, height, width)
    right, bottom = max(15 - width, 0), max(15 - height, 0)
    with torch.no_grad():
        padded = F.pad(inside, (0, right, 0, bottom), mode="replicate")
        torch.testing.assert_close(block.look(inside), block.look(padded))
