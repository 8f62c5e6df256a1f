import sys
from enum import IntEnum
from types import ModuleType, SimpleNamespace

import pytest

from cvqe.errors import BackendError
from plugins.deform_conv.current_device import current_compute_capability


class Result(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_CONTEXT = 201


CAPABILITIES = {0: {"major": 8, "minor": 9}, 1: {"major": 12, "minor": 0}}


@pytest.fixture
def driver(monkeypatch):
    """Stand in for a driver with two devices and no current context."""
    fake = SimpleNamespace(
        cuInit=lambda flags: (Result.CUDA_SUCCESS,),
        cuCtxGetDevice=lambda: (Result.CUDA_ERROR_INVALID_CONTEXT, None),
        cuDeviceGet=lambda ordinal: (Result.CUDA_SUCCESS, ordinal),
        cuDeviceGetAttribute=lambda name, device: (Result.CUDA_SUCCESS, CAPABILITIES[device][name]),
        CUdevice_attribute=SimpleNamespace(
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor"
        ),
    )
    bindings = ModuleType("cuda.bindings")
    bindings.driver = fake
    monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    return fake


def test_without_a_context_the_first_device_counts(driver):
    assert current_compute_capability() == 89


def test_the_contexts_device_counts(driver):
    driver.cuCtxGetDevice = lambda: (Result.CUDA_SUCCESS, 1)
    assert current_compute_capability() == 120


def test_no_device_is_told_with_what_to_name(driver):
    driver.cuInit = lambda flags: (Result.CUDA_ERROR_NO_DEVICE,)
    with pytest.raises(BackendError, match=r"no GPU here to build for \(CUDA_ERROR_NO_DEVICE\).\nName the compute"):
        current_compute_capability()


def test_a_driver_that_is_not_installed_is_told(driver):
    def missing(flags):
        raise RuntimeError("the library can't be found")

    driver.cuInit = missing
    with pytest.raises(BackendError, match=r"no GPU here to build for \(the library can't be found"):
        current_compute_capability()


def test_missing_bindings_are_told_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(BackendError, match="pip install cuda-python"):
        current_compute_capability()
