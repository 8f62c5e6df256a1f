import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional as F

from cvqe.macs import count_macs
from cvqe.models import create
from cvqe.models.tgafnet import TGAFNet

OFFICIAL_SHAPES = json.loads(Path(__file__).with_name("tgafnet_official.json").read_text())
# float32 against the same in float64: two right implementations differ by 1e-6 to 1e-5 (spec/networks.md, section 2)
REFERENCE_ATOL = 1e-5
WRONG_READING = 0.1  # with these weights and noise for a picture, the wrong readings below change outputs by 0.3 to 5
BFLOAT16_SHARE = 0.1  # of the residual: thirty layers that round to 8 bits, and noise sampled at rounded offsets


def randomise(network, seed=0):
    """Give every layer weights that keep the size of what passes, and offsets of about 2 px."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            scale = 2.0 if "offset_mask" in name else 0.1
        else:
            scale = (1.0 if "offset_mask" in name else 2.0) ** 0.5 / parameter[0].numel() ** 0.5
        with torch.no_grad():
            parameter.copy_(scale * values)
    network.qenet.out_conv.weight.data.mul_(0.1)
    return network


def random_window(height, width, n=1, seed=1):
    return torch.rand((n, 7, height, width), generator=torch.Generator().manual_seed(seed))


def slow_deform_conv(x, offset, mask, weight, bias, wrong=""):
    """Follow section 1 of spec/networks.md tap by tap and corner by corner, every channel its own offset group."""
    n, channels, height, width = x.shape
    kernel = weight.shape[-1]
    if wrong == "all dy, then all dx":
        offset = offset.unflatten(1, (channels, 2, kernel**2)).transpose(2, 3).flatten(1, 3)
    y = bias.view(1, -1, 1, 1).expand(n, -1, height, width).clone()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    for channel in range(channels):
        for tap in range(kernel**2):
            place = channel * 2 * kernel**2 + 2 * tap
            dy, dx = offset[:, place], offset[:, place + 1]
            if wrong == "dx before dy":
                dy, dx = dx, dy
            at_y = rows - kernel // 2 + tap // kernel + dy
            at_x = columns - kernel // 2 + tap % kernel + dx
            sample = torch.zeros_like(at_y)
            for corner_y in (at_y.floor(), at_y.floor() + 1):
                for corner_x in (at_x.floor(), at_x.floor() + 1):
                    inside = (corner_y >= 0) & (corner_y < height) & (corner_x >= 0) & (corner_x < width)
                    index = corner_y.clamp(0, height - 1) * width + corner_x.clamp(0, width - 1)
                    value = x[:, channel].flatten(1).gather(1, index.long().flatten(1)).view_as(sample)
                    sample += inside * value * (1 - (at_y - corner_y).abs()) * (1 - (at_x - corner_x).abs())
            if wrong != "no mask":
                sample = sample * mask[:, channel * kernel**2 + tap]
            y += weight[:, channel, tap // kernel, tap % kernel].view(1, -1, 1, 1) * sample[:, None]
    return y


def slow_tgafnet(weights, window, blocks, wrong=""):
    """Follow section 2 of spec/networks.md step by step on a state dict, sharing no code with the network."""

    def conv(name, x, **options):
        weight = weights[name + ".weight"]
        return F.conv2d(x, weight, weights.get(name + ".bias"), padding=weight.shape[-1] // 2, **options)

    def deconv(name, x):
        return F.conv_transpose2d(x, weights[name + ".weight"], weights[name + ".bias"], stride=2, padding=1)

    def leaky(x, slope=0.1):
        return F.leaky_relu(x, slope)

    def deform(name, features, x):
        kernel, groups = weights[name + ".deform_conv.weight"].shape[-1], x.shape[1]
        offset_mask = conv(name + ".offset_mask", features)
        offset, mask = offset_mask[:, : 2 * groups * kernel**2], offset_mask[:, 2 * groups * kernel**2 :]
        layer = weights[name + ".deform_conv.weight"], weights[name + ".deform_conv.bias"]
        return F.relu(slow_deform_conv(x, offset, torch.sigmoid(mask), *layer, wrong))

    def unet(x):
        height, width = x.shape[2:]
        padded_rows = [min(row, height - 1) for row in range(-(-height // 8) * 8)]
        padded_columns = [min(column, width - 1) for column in range(-(-width // 8) * 8)]
        x = x[:, :, padded_rows][:, :, :, padded_columns]
        down0 = F.relu(conv("Unet.dn_conv1.2", F.relu(conv("Unet.dn_conv1.0", x, stride=2))))
        down1 = F.relu(conv("Unet.dn_conv2.2", F.relu(conv("Unet.dn_conv2.0", down0, stride=2))))
        bottom = F.relu(conv("Unet.tr_conv.2", F.relu(conv("Unet.tr_conv.0", down1, stride=2))))
        bottom = F.relu(deconv("Unet.tr_conv.4", bottom))
        x = F.relu(conv("Unet.up_conv2.0", torch.cat((bottom, down1), 1)))
        x = F.relu(deconv("Unet.up_conv2.2", x))
        x = F.relu(conv("Unet.up_conv1.0", torch.cat((x, down0), 1)))
        x = F.relu(deconv("Unet.up_conv1.2", x))
        return F.relu(conv("Unet.out_conv.0", x))[:, :, :height, :width]

    def context(name, x):
        n, channels = x.shape[:2]
        attention = torch.softmax(conv(name + ".conv_mask", x).view(n, -1), -1)
        vector = torch.einsum("ncp,np->nc", x.reshape(n, channels, -1), attention)[:, :, None, None]
        vector = conv(name + ".channel_add_conv.2", leaky(conv(name + ".channel_add_conv.0", vector), 0.2))
        return x + vector

    aligned = {}
    for kernel, frames in ((1, (2, 3, 4)), (3, (1, 3, 5)), (5, (0, 3, 6))):
        group = window[:, list(reversed(frames) if wrong == "reversed frames" else frames)]
        features = unet(leaky(conv("inputconv.0", group)))
        aligned[kernel] = deform(f"deform_block_{kernel}", features, group)
    a = leaky(conv("fuse.0", torch.cat((aligned[1], aligned[3]), 1)))
    b = leaky(conv("fuse.0", torch.cat((aligned[3], aligned[5]), 1)))
    y = leaky(conv("fuse.0", torch.cat((a, b), 1)))
    r = conv("RCAB.body.2", F.relu(conv("RCAB.body.0", y)))
    attention = F.relu(conv("RCAB.body.3.conv_du.0", r.mean((2, 3), keepdim=True)))
    y = y + r * torch.sigmoid(conv("RCAB.body.3.conv_du.2", attention))
    y = leaky(conv("wpnet.in_conv.0", y))
    y = deform("wpnet", y, y)
    y = leaky(conv("qenet.in_conv.2", leaky(conv("qenet.in_conv.0", y))))
    for block in range(blocks):
        y = leaky(conv(f"qenet.hid_conv.{3 * block}", y))
        name = f"qenet.hid_conv.{3 * block + 2}"
        x1, x2 = y[:, :32], y[:, 32:]
        c = leaky(context(name + ".gcnet", x1), 0.2) + x2
        c_again = leaky(context(name + ".gcnet", c), 0.2)
        y = conv(name + ".tail", torch.cat((c, c_again if wrong == "no C_f skip" else c_again + c), 1))
    return conv("qenet.out_conv", y) + window[:, 3:4]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute on one thread: on busy cores, waiting for each other at every small layer took ten times as long."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def network():
    return randomise(TGAFNet()).eval()


def in_double(network):
    return {name: tensor.double() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("blocks, n_parameters", [(3, 1_403_228), (2, 1_327_356), (1, 1_251_484)])
def test_it_has_the_published_number_of_parameters(blocks, n_parameters):
    assert sum(p.numel() for p in create("tgafnet", blocks=blocks).parameters()) == n_parameters


@pytest.mark.parametrize("blocks, gmacs", [(3, 125.03), (2, 117.66), (1, 110.29)])
def test_it_needs_the_published_multiply_accumulates(blocks, gmacs):
    assert round(count_macs(TGAFNet(blocks), 240, 416) / 1e9, 2) == gmacs


def test_a_public_checkpoint_loads_as_it_is():
    network = TGAFNet()
    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == OFFICIAL_SHAPES
    network.load_state_dict({name: torch.zeros(shape) for name, shape in OFFICIAL_SHAPES.items()}, strict=True)


@pytest.mark.parametrize("blocks", [1, 2])
def test_fewer_blocks_have_the_same_names_up_to_theirs(blocks):
    def is_kept(name):
        return not name.startswith("qenet.hid_conv.") or int(name.split(".")[2]) < 3 * blocks

    assert set(TGAFNet(blocks).state_dict()) == set(filter(is_kept, OFFICIAL_SHAPES))


@pytest.mark.parametrize("height, width", [(2, 2), (8, 8), (17, 31)])
def test_it_equals_a_slow_reading_of_the_specification(network, height, width):
    window = random_window(height, width)
    with torch.no_grad():
        y = network(window)
        expected = slow_tgafnet(in_double(network), window.double(), blocks=3)
    assert y.shape == (1, 1, height, width)
    torch.testing.assert_close(y.double(), expected, atol=REFERENCE_ATOL, rtol=0)


@pytest.mark.parametrize("wrong", ["dx before dy", "all dy, then all dx", "no mask", "no C_f skip", "reversed frames"])
def test_a_wrong_reading_would_be_noticed(network, wrong):
    window = random_window(9, 13)
    with torch.no_grad():
        mistaken = slow_tgafnet(in_double(network), window.double(), blocks=3, wrong=wrong)
        assert (network(window) - mistaken).abs().max() > WRONG_READING


def test_untrained_it_starts_on_the_regular_grid():
    fresh = TGAFNet(blocks=1, channels=8)
    predicting = [module for name, module in fresh.named_modules() if name.endswith("offset_mask")]
    assert len(predicting) == 4
    assert all(not p.any() for module in predicting for p in module.parameters())


def test_every_parameter_learns(network):
    fresh = TGAFNet(blocks=1, channels=8)
    randomise(fresh)
    fresh(random_window(8, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in fresh.parameters())


def far_change(network):
    """Return how much the left edge moves when only the right edge, 240 px away, changes."""
    window = random_window(8, 256)
    changed = window.clone()
    changed[..., -8:] = 1 - changed[..., -8:]
    with torch.no_grad():
        return (network(window) - network(changed))[..., :8].abs().max()


def test_context_reaches_over_the_whole_frame_so_tiles_would_differ():
    small = randomise(TGAFNet(blocks=1, channels=8)).eval()
    assert far_change(small) > 1e-5
    for name, parameter in small.named_parameters():
        if "channel_add_conv.2" in name or "conv_du.2.weight" in name:
            nn.init.zeros_(parameter)
    assert far_change(small) == 0  # without both whole-frame sums, nothing looks that far


def test_bfloat16_autocast_returns_a_float32_sum(network):
    window = random_window(16, 24)
    with torch.no_grad():
        exact = network(window)
        with torch.autocast("cpu", torch.bfloat16):
            y = network(window)
            residual = network.residual(window)
    assert y.dtype == torch.float32
    assert torch.equal(y, window[:, 3:4] + residual.float())
    assert (y - exact).square().mean().sqrt() < BFLOAT16_SHARE * (exact - window[:, 3:4]).std()


def test_it_can_be_exported_for_any_size():
    small = randomise(TGAFNet(blocks=1, channels=8)).eval()
    size = {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    # as torch.onnx.export does: otherwise a size of 1, here at 1/8 scale, gets a program of its own
    with torch.fx.experimental._config.patch(backed_size_oblivious=True):
        program = torch.export.export(small, (random_window(24, 40),), dynamic_shapes=(size,))
    assert sum(node.target is torch.ops.cvqe.deform_conv2d.default for node in program.graph.nodes) == 4
    exported = program.module()
    for height, width in ((2, 2), (8, 8), (17, 31)):
        window = random_window(height, width)
        torch.testing.assert_close(exported(window), small(window))
