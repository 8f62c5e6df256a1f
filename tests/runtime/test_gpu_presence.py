import ctypes
import shutil
import subprocess

import pytest

from runtime import gpu_presence

STUB = """
int cuInit(unsigned flags) { return STARTS; }
int cuDeviceGetCount(int *count) { *count = DEVICES; return 0; }
"""


@pytest.fixture(autouse=True)
def forgotten():
    gpu_presence.gpu_obstacle.cache_clear()
    yield
    gpu_presence.gpu_obstacle.cache_clear()


def test_no_library_is_no_driver(monkeypatch):
    monkeypatch.setattr(gpu_presence, "LIBRARY", "libcuda-that-nobody-has.so.1")
    assert gpu_presence.gpu_obstacle() == "there is no NVIDIA driver here"


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to make a driver of")
@pytest.mark.parametrize(
    "starts, devices, told",
    [
        (0, 2, None),
        (0, 0, gpu_presence.NO_GPU),
        (100, 0, gpu_presence.NO_GPU),
        (803, 0, "the NVIDIA driver does not start (CUDA error 803)"),
    ],
)
def test_the_driver_itself_is_asked(monkeypatch, tmp_path, starts, devices, told):
    source, library = tmp_path / "driver.c", tmp_path / "libdriver.so"
    source.write_text(STUB.replace("STARTS", str(starts)).replace("DEVICES", str(devices)))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    monkeypatch.setattr(gpu_presence, "LIBRARY", str(library))
    assert ctypes.CDLL(str(library))
    assert gpu_presence.gpu_obstacle() == told
