"""Whether an NVIDIA GPU can be used here, asked of the driver's library itself.

Needs the standard library alone, and costs next to nothing on a machine without one.
"""

import ctypes
import sys
from functools import cache

NO_DEVICE = 100  # cuInit's answer
NO_GPU = "the NVIDIA driver finds no GPU (nvidia-smi and CUDA_VISIBLE_DEVICES tell)"
LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


@cache
def gpu_obstacle() -> str | None:
    """Return why no GPU can be used, None where one can: "there is no NVIDIA driver here", or what it answers."""
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError:
        return "there is no NVIDIA driver here"
    started = driver.cuInit(0)
    if started == NO_DEVICE:
        return NO_GPU
    n_devices = ctypes.c_int(0)
    counted = driver.cuDeviceGetCount(ctypes.byref(n_devices)) if started == 0 else started
    if counted != 0:
        return f"the NVIDIA driver does not start (CUDA error {counted})"
    return None if n_devices.value else NO_GPU
