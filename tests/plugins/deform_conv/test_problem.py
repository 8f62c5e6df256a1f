from dataclasses import replace

import pytest

from cvqe.errors import ShapeError
from plugins.deform_conv.problem import Problem
from tests.plugins.deform_conv.cases import make_case

SAME = Problem(channels=4, c_out=8, kernel=(3, 3), pads=(1, 1, 1, 1), offset_group=4, mask="values")


@pytest.mark.parametrize("kernel, megabytes", [(1, 140), (3, 273), (5, 538)])
def test_the_floor_of_traffic_is_each_tensor_moved_once(kernel, megabytes):
    problem = Problem(3, 64, (kernel, kernel), pads=(kernel // 2,) * 4, offset_group=3, mask="values")
    assert round(problem.traffic_bytes(1, 720, 1280) / 1e6) == megabytes
    assert problem.traffic_bytes(2, 720, 1280) == 2 * problem.traffic_bytes(1, 720, 1280)
    packed = replace(problem, mask="logits", packed=True)
    assert packed.traffic_bytes(1, 720, 1280) == problem.traffic_bytes(1, 720, 1280)
    assert replace(problem, dtype="fp32").traffic_bytes(1, 9, 9) == 2 * problem.traffic_bytes(1, 9, 9)


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"dilation": 2}, {"group": 2, "offset_group": 2}], ids=str)
def test_shapes_are_those_of_the_equation(options):
    case = make_case(4, 3, 13, 18, n=2, **options)
    weight = case.tensors["weight"]
    problem = Problem(4, 4, weight.shape[2:], mask="values", **case.attributes)
    shapes = problem.shapes(2, 13, 18)
    assert shapes[:-1] == tuple(case.tensors[name].shape for name in ("x", "weight", "offset", "bias", "mask"))
    assert shapes[-1] == case.reference().shape


def test_a_packed_tensor_holds_offsets_and_logits():
    packed = replace(SAME, mask="logits", packed=True)
    assert (packed.offset_channels, packed.mask_channels) == (3 * 4 * 9, 0)
    assert len(packed.shapes(1, 6, 6)) == 5
    assert (SAME.offset_channels, SAME.mask_channels) == (2 * 4 * 9, 4 * 9)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"kernel": (3,)}, r"kernel \[3\]"),
        ({"kernel": (3, 0)}, r"kernel \[3, 0\]"),
        ({"strides": (0, 1)}, r"strides \[0, 1\]"),
        ({"pads": (0, 0, 0, -1)}, r"pads \[0, 0, 0, -1\]"),
        ({"channels": 0}, "1 or more"),
        ({"offset_group": 3}, "4 channels in and 8 out .* offset_group 3"),
        ({"group": 3}, "group 3"),
        ({"mask": "sigmoid"}, "none, values, logits, not 'sigmoid'"),
        ({"dtype": "bf16"}, "fp16, fp32, not 'bf16'"),
        ({"packed": True}, 'mask is "logits" there, not "values"'),
    ],
)
def test_operators_that_do_not_exist_are_refused_with_their_numbers(changes, message):
    with pytest.raises(ShapeError, match=message):
        replace(SAME, **changes)


def test_frames_smaller_than_the_kernel_are_refused():
    with pytest.raises(ShapeError, match=r"frames of 2x9 are smaller than the \(3, 3\) kernel"):
        replace(SAME, pads=(0, 0, 0, 0)).out_size(2, 9)
