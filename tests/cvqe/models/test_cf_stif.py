import pytest
import torch
from torch.nn import functional as F

from tests.cvqe.models.reading import Reading
from tests.networks import made_up_network

REFERENCE_ATOL = 2e-5  # float32 against float64, three dense blocks deeper than the other networks


def features(read, window):
    """Return the fused 3D features of all frames, frame by frame."""
    y = window[:, None]
    for layer in ("conv_first.0", "conv_first.2"):
        y = F.relu(F.conv3d(y, read.weights[f"mlrd.{layer}.weight"], read.weights[f"mlrd.{layer}.bias"], padding=1))
    by_frame = torch.cat([y[:, :, frame] for frame in range(7)], 1)
    return read.relu_conv("mlrd.conv_cat1", by_frame)


def motion(read, a):
    """Follow the three scales; the sizes of `a` are multiples of 4."""

    def down(name, x):
        return read.relu_conv(f"mlrd.{name}.conv1", read.relu_conv(f"mlrd.{name}.d_conv", x, 2))

    def up(name, x):
        return read.conv(f"mlrd.{name}.conv1", F.relu(read.deconv(f"mlrd.{name}.up_conv", x)))

    def residual(name, x):
        return x + read.conv(f"mlrd.{name}.conv2", read.relu_conv(f"mlrd.{name}.conv1", x))

    c = residual("rse3_1", down("down_conv3", down("down_conv2", a)))
    b = residual("rse2_1", down("down_conv1", a) + read.deconv("mlrd.trans_conv3", c))
    a = residual("rse1", a + read.deconv("mlrd.trans_conv2", b))
    from_c = up("up_conv3", F.relu(up("up_conv2", residual("rse3_2", c))))
    return read.relu_conv("mlrd.conv_add", a + up("up_conv1", residual("rse2_2", b)) + from_c)


def quality(read, fused):
    """Follow the three dense blocks."""

    def dense(name, x):
        y1 = read.relu_conv(f"qe.{name}.conv3_1", x)
        y2 = read.relu_conv(f"qe.{name}.conv5_1", y1)
        y3 = read.relu_conv(f"qe.{name}.conv7_1", y2)
        return read.conv(f"qe.{name}.conv_c", torch.cat((x, y1, y2, y3), 1))

    q = read.conv("qe.conv_first", fused)
    e1 = dense("DS_net1", q)
    e2 = q + dense("DS_net2", q - e1)
    e3 = dense("DS_net3", e2)
    y = read.conv("qe.conv_c", torch.cat((q, e1, e2, e3), 1)) + q
    return read.conv("qe.conv_last", read.relu_conv("qe.conv", y))


@pytest.mark.parametrize("height, width", [(2, 2), (9, 22)])
def test_it_equals_a_slow_reading_of_the_specification(height, width):
    network = made_up_network("cf_stif", channels=8, frame_channels=4)
    window, read = torch.rand(1, 7, height, width), Reading(network)
    with torch.no_grad():
        enhanced = network(window)
        planes = window.double()
        a = F.pad(features(read, planes), (0, -width % 4, 0, -height % 4), mode="replicate")
        packed = read.conv("mlrd.offset_mask", motion(read, a)[..., :height, :width])
        expected = planes[:, 3:4] + quality(read, read.deform("mlrd.deform_conv", planes, packed))
    torch.testing.assert_close(enhanced.double(), expected, atol=REFERENCE_ATOL, rtol=0)
    assert (enhanced - window[:, 3:4]).abs().max() > 0.001  # it did something
