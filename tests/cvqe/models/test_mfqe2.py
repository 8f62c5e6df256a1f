import pytest
import torch
from torch.nn import functional as F

from tests.networks import made_up_network

REFERENCE_ATOL = 1e-5  # float32 against float64: two right implementations differ by 1e-6 to 1e-5


def heads(weights, frames):
    """Return what the kernels of three sizes see of three frames: 288 channels."""
    seen = []
    for place, frame in enumerate(frames):
        name = f"heads.{place}"
        sizes = [
            F.conv2d(frame, weights[f"{name}.sizes.{i}.weight"], weights[f"{name}.sizes.{i}.bias"], padding=i + 1)
            for i in range(3)
        ]
        seen.append(F.prelu(torch.cat(sizes, 1), weights[f"{name}.activation.weight"]))
    return torch.cat(seen, 1)


def dense_tail(weights, x):
    """Follow the layers of QP 37 and 42: each a convolution, a batch norm, a PReLU."""

    def layer(name, x):
        y = F.conv2d(x, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"], padding=1)
        mean, var = weights[f"{name}.1.running_mean"], weights[f"{name}.1.running_var"]
        y = F.batch_norm(y, mean, var, weights[f"{name}.1.weight"], weights[f"{name}.1.bias"])
        return F.prelu(y, weights[f"{name}.2.weight"])

    seen = layer("tail.first", x)
    for place in range(4):
        seen = torch.cat((seen, layer(f"tail.dense.{place}", seen)), 1)
    return layer("tail.last", seen[:, -32:])


def plain_tail(weights, x):
    """Follow the layers of QP 22, 27 and 32."""
    for place in range(0, 16, 2):
        x = F.conv2d(x, weights[f"tail.{place}.weight"], weights[f"tail.{place}.bias"], padding=1)
        x = F.prelu(x, weights[f"tail.{place + 1}.weight"])
    return F.conv2d(x, weights["tail.16.weight"], weights["tail.16.bias"], padding=1)


@pytest.mark.parametrize("dense, tail", [(True, dense_tail), (False, plain_tail)])
def test_it_equals_a_slow_reading_of_the_specification(dense, tail):
    network = made_up_network("mfqe2", dense=dense)
    window = torch.rand(1, 3, 9, 14)
    with torch.no_grad():
        enhanced = network(window)
        frames = [network.motion(window[:, 1:2], window[:, place, None]) for place in (0, 2)]
        frames = [plane.double() for plane in (frames[0], window[:, 1:2], frames[1])]
        weights = {name: tensor.double() for name, tensor in network.state_dict().items()}
        expected = frames[1] + tail(weights, heads(weights, frames))
    torch.testing.assert_close(enhanced.double(), expected, atol=REFERENCE_ATOL, rtol=0)
    assert (enhanced - window[:, 1:2]).abs().max() > 0.001  # it did something
