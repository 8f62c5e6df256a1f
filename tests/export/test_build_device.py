"""GPUs an engine is built for."""

import pytest

from cvqe.errors import BackendError, UsageError
from export.build_device import PORTABLE, Targets, choose_targets, driver_version
from runtime.cuda.driver import Device

RTX_4090 = Device(0, "NVIDIA GeForce RTX 4090", 89, 24 << 30, (13, 0))
H200 = Device(0, "NVIDIA H200", 90, 141 << 30, (13, 0))
NAMED = (75, 80, 86, 89, 120, 121)


@pytest.mark.parametrize(
    "asked, device, expected",
    [
        ((), None, Targets(PORTABLE, True)),
        ((), RTX_4090, Targets((89,), False)),
        ((), H200, Targets(PORTABLE, True)),  # TensorRT-RTX has no name for 9.0
        ((75, 120), None, Targets((75, 120), False)),
        ((120,), RTX_4090, Targets((120,), False)),
    ],
)
def test_tensorrt_rtx_builds_for_those_named_or_the_one_here_or_all(asked, device, expected):
    assert choose_targets("tensorrt-rtx", asked, device, NAMED) == expected


def test_a_gpu_that_has_no_name_is_refused_with_those_that_have():
    with pytest.raises(UsageError, match=r"compute capability 9\.0; it can for 7\.5,8\.0,8\.6,8\.9,12\.0,12\.1"):
        choose_targets("tensorrt-rtx", (89, 90), None, NAMED)


def test_tensorrt_builds_for_the_gpu_that_is_here():
    assert choose_targets("tensorrt", (), H200, ()) == Targets((90,), False)
    assert choose_targets("tensorrt", (90,), H200, ()) == Targets((90,), False)
    with pytest.raises(UsageError, match=r"NVIDIA H200, 9\.0"):
        choose_targets("tensorrt", (89,), H200, ())


@pytest.mark.parametrize(
    "device, capabilities", [(H200, PORTABLE), (Device(0, "B200", 100, 1, (13, 0)), (*PORTABLE, 100))]
)
def test_hardware_compatibility_means_kernels_for_every_generation_and_this_one(device, capabilities):
    expected = Targets(tuple(sorted(capabilities)), True)
    assert choose_targets("tensorrt", (), device, (), "ampere+") == expected
    this_one = Targets((device.compute_capability,), False)
    assert choose_targets("tensorrt", (), device, (), "sameComputeCapability") == this_one


def test_tensorrt_without_a_gpu_is_one_sentence():
    with pytest.raises(BackendError, match="there is none here") as error:
        choose_targets("tensorrt", (), None, ())
    assert "--library=tensorrt-rtx" in str(error.value)
    assert "\n" not in str(error.value)


def test_targets_are_spelled_for_people():
    assert str(Targets((89, 120), False)) == "8.9, 12.0"
    assert str(Targets((80,), True)) == "8.0 and newer"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.82.07  Mon\nGCC version:", "580.82.07"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build", "575.57.08"),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  610.43  Fri", "610.43"),
        ("something else", None),
    ],
)
def test_the_drivers_release_is_read(tmp_path, text, expected):
    (tmp_path / "version").write_text(text)
    assert driver_version(tmp_path / "version") == expected
    assert driver_version(tmp_path / "none") is None
