import torch
from torch.nn import functional as F

from tests.networks import made_up_network

REFERENCE_ATOL = 1e-5  # float32 against float64: two right implementations differ by 1e-6 to 1e-5
BLOCKS, RUNS = 3, 2


def reading_of(weights, frame):
    """Follow the specification step by step."""

    def normed(name, x):
        mean, var = weights[f"{name}.norm.running_mean"], weights[f"{name}.norm.running_var"]
        return F.relu(F.batch_norm(x, mean, var, weights[f"{name}.norm.weight"], weights[f"{name}.norm.bias"]))

    def conv(name, x):
        weight = weights[f"{name}.weight"]
        return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)

    kept, enhanced = [conv("first", normed("before_first", frame))], 0
    for block in range(BLOCKS):
        x, unit, runs = kept[-1], f"blocks.{block}.unit", []
        for run in range(RUNS):
            y = conv(f"{unit}.first", normed(f"{unit}.before_first.{run}", x))
            x = x + conv(f"{unit}.second", normed(f"{unit}.before_second.{run}", y))
            runs.append(x)
        gate = normed(f"blocks.{block}.before_gate", torch.cat((*runs, *kept), 1))
        kept.append(conv(f"blocks.{block}.gate", gate))
        picture = frame + conv("picture", normed(f"before_picture.{block}", kept[-1]))
        enhanced = enhanced + weights["shares"][block] * picture
    return enhanced


def test_it_equals_a_slow_reading_of_the_specification():
    network = made_up_network("memnet", blocks=BLOCKS, runs=RUNS, channels=8)
    torch.nn.init.uniform_(network.shares)  # by itself all are the same
    frame = torch.rand(1, 1, 9, 14)
    with torch.no_grad():
        weights = {name: tensor.double() for name, tensor in network.state_dict().items()}
        expected = reading_of(weights, frame.double())
        torch.testing.assert_close(network(frame).double(), expected, atol=REFERENCE_ATOL, rtol=0)


def test_its_convolutions_have_the_published_weights():
    network = made_up_network("memnet")
    kernels = [p.numel() for name, p in network.named_parameters() if p.ndim == 4]
    assert sum(kernels) == 676_992
