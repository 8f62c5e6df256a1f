import torch
from torch.nn import functional as F

from cvqe.models import create
from tests.networks import made_up_network


def test_its_branches_stand_side_by_side_the_first_kernel_of_each_layer_first():
    network = made_up_network("vrcnn")
    weights = network.state_dict()
    frame = torch.rand(1, 1, 9, 14)

    def conv(name, x):
        weight = weights[f"layers.{name}.weight"]
        return F.conv2d(x, weight, weights[f"layers.{name}.bias"], padding=weight.shape[-1] // 2)

    y = F.relu(conv("0", frame))
    for place in (2, 3):
        y = torch.cat((F.relu(conv(f"{place}.first", y)), F.relu(conv(f"{place}.second", y))), 1)
    with torch.no_grad():
        torch.testing.assert_close(network(frame), frame + conv("4", y))


def test_its_kernels_are_those_of_the_paper():
    shapes = [list(weight.shape) for name, weight in create("vrcnn").named_parameters() if name.endswith("weight")]
    assert [shape[:2] + shape[3:] for shape in shapes] == [
        [64, 1, 5],
        [16, 64, 5],
        [32, 64, 3],
        [32, 48, 1],
        [16, 48, 3],
        [1, 48, 3],
    ]
