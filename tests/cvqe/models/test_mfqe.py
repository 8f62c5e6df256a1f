import torch
from torch.nn import functional as F

from tests.networks import made_up_network

REFERENCE_ATOL = 1e-5  # float32 against float64: two right implementations differ by 1e-6 to 1e-5


def test_it_equals_a_slow_reading_of_the_specification():
    network = made_up_network("mfqe")
    window = torch.rand(1, 3, 9, 14)
    weights = {name: tensor.double() for name, tensor in network.state_dict().items()}

    def conv(name, x):
        weight = weights[f"{name}.weight"]
        return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def layer(name, place, x):
        return F.prelu(conv(f"{name}.{place}", x), weights[f"{name}.{place + 1}.weight"])

    with torch.no_grad():
        enhanced = network(window)
        target = window[:, 1:2]
        planes = network.motion(target, window[:, :1]), target, network.motion(target, window[:, 2:])
        before, middle, after = (layer(f"heads.{i}", 0, plane.double()) for i, plane in enumerate(planes))
        pairs = torch.cat((before, middle), 1), torch.cat((middle, after), 1)
        seen = torch.cat([layer(f"pairs.{i}", 2, layer(f"pairs.{i}", 0, pair)) for i, pair in enumerate(pairs)], 1)
        expected = target.double() + conv("tail.2", layer("tail", 0, seen))
    torch.testing.assert_close(enhanced.double(), expected, atol=REFERENCE_ATOL, rtol=0)
    assert (enhanced - target).abs().max() > 0.001  # it did something
