from dataclasses import replace

import numpy as np
import pytest

from cvqe.errors import BackendError, ShapeError
from plugins.deform_conv.launch_plan import kernel_for, plan_launch
from plugins.deform_conv.problem import Problem
from tests.plugins.deform_conv.kernels import PROBLEM, fake_kernel

POINTERS = [256 * n for n in range(1, 7)]


def test_a_launch_covers_every_pixel_of_every_image_and_tile():
    plan = plan_launch(fake_kernel(n_tiles=3), POINTERS, PROBLEM.shapes(2, 720, 1280))
    assert plan.grid == (7200, 3, 2)
    assert plan.block == 128
    assert plan.entry.name == "aligned"
    assert plan.arguments == (*POINTERS, 720, 1280, 1280, 720 * 1280, 0, 0)
    assert plan_launch(fake_kernel(), POINTERS, PROBLEM.shapes(1, 3, 43)).grid == (2, 1, 1)


def test_strides_make_the_output_smaller():
    problem = replace(PROBLEM, strides=(2, 2))
    plan = plan_launch(fake_kernel(problem), POINTERS, problem.shapes(1, 720, 1280))
    assert plan.grid == (360 * 640 // 128, 1, 1)
    assert plan.arguments[6:10] == (720, 1280, 640, 360 * 640)


@pytest.mark.parametrize(
    "pointers, size",
    [
        ([*POINTERS[:5], POINTERS[5] + 8], (720, 1280)),
        (POINTERS, (9, 13)),
        (POINTERS, (27000, 27000)),  # 3 channels of them are more than 2**31
    ],
)
def test_what_is_not_aligned_or_huge_takes_the_general_way(pointers, size):
    assert plan_launch(fake_kernel(), pointers, PROBLEM.shapes(1, *size)).entry.name == "general"


def test_arguments_lie_in_memory_as_the_driver_reads_them():
    high = 0x7FFF_FFFF_FFF0
    plan = plan_launch(fake_kernel(), [high, *POINTERS[1:]], PROBLEM.shapes(1, 8, 8))
    values, addresses = plan.slots()
    assert values[0] == high
    assert addresses[0] == values.ctypes.data
    assert set(np.diff(addresses.astype(np.int64))) == {8}
    # an int32 parameter is the lower half of its slot
    assert values.view(np.int32)[::2][6:10].tolist() == [8, 8, 8, 64]


def test_a_packed_problem_has_one_pointer_less():
    problem = Problem(3, 64, (1, 1), offset_group=3, mask="logits", packed=True)
    plan = plan_launch(fake_kernel(problem), POINTERS[:5], problem.shapes(1, 8, 8))
    assert len(plan.arguments) == 5 + 4 + 2


@pytest.mark.parametrize(
    "position, shape, message",
    [
        (0, (1, 3, 8), r"x is \[1, 3, 8\]; it must have the dimensions N, C, H, W"),
        (0, (1, 4, 8, 8), r"x, weight, offset, bias, mask and y of such frames are \[\[1, 3, 8, 8\]"),
        (2, (1, 54, 8, 9), r"\[1, 54, 8, 9\]"),
        (5, (1, 64, 8, 7), r"\[1, 64, 8, 7\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(position, shape, message):
    shapes = list(PROBLEM.shapes(1, 8, 8))
    shapes[position] = shape
    with pytest.raises(ShapeError, match=message):
        plan_launch(fake_kernel(), POINTERS, shapes)


@pytest.mark.parametrize("n, height, width", [(0, 8, 8), (1, 2**20 + 1, 1), (1, 2**16, 2**15), (65536, 8, 8)])
def test_sizes_that_no_launch_can_have_are_refused(n, height, width):
    with pytest.raises(ShapeError, match=r"x is \[.*at most"):
        plan_launch(fake_kernel(), POINTERS, PROBLEM.shapes(n, height, width))


@pytest.mark.parametrize(
    "built_for, device, chosen",
    [
        ([80, 90, 120], 90, 90),
        ([80, 90, 120], 120, 120),
        ([80, 90, 120], 89, 80),
        ([80, 86, 90], 89, 86),
        ([80, 90], 100, 80),  # what is for 9.0 runs there alone
        ([75], 121, 75),
    ],
)
def test_a_device_gets_its_own_kernel_or_the_newest_portable_one(built_for, device, chosen):
    kernels = [fake_kernel(capability=capability) for capability in built_for]
    assert kernel_for(kernels, device).compute_capability == chosen


@pytest.mark.parametrize("built_for, device", [([90], 100), ([80, 90], 75), ([120], 90)])
def test_a_device_that_no_kernel_runs_on_is_told_what_to_do(built_for, device):
    kernels = [fake_kernel(capability=capability) for capability in built_for]
    made_for = ", ".join(map(str, built_for))
    with pytest.raises(BackendError, match=f"capability {made_for}, but this GPU has {device}; build the engine again"):
        kernel_for(kernels, device)
