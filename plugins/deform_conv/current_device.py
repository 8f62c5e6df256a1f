"""The device that PTX is compiled for when nobody names one: the current CUDA context's, or the first."""

from typing import Any

from cvqe.errors import BackendError

NAME_IT = "Name the compute capabilities to build for, such as 89 for an RTX 4090."


def current_compute_capability() -> int:
    """Return 89 for 8.9.

    Raises:
        BackendError: there is no device, or no driver for it.
    """
    try:
        from cuda.bindings import driver
    except ImportError as error:
        raise BackendError(
            f"no device can be looked at without cuda.bindings ({error}).\nInstall it:  pip install cuda-python     "
            f"or: {NAME_IT}"
        ) from error
    try:
        _answer(driver.cuInit(0))
        device = _context_device(driver)
        attributes = driver.CUdevice_attribute
        major, minor = (
            int(_answer(driver.cuDeviceGetAttribute(attribute, device)))
            for attribute in (
                attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
    except RuntimeError as error:  # ours below, and that of the bindings where the driver is not installed
        raise BackendError(f"there is no GPU here to build for ({error}).\n{NAME_IT}") from error
    return 10 * major + minor


def _context_device(driver: Any) -> Any:
    code, device = driver.cuCtxGetDevice()
    return device if int(code) == 0 else _answer(driver.cuDeviceGet(0))


def _answer(answer: Any) -> Any:
    code, *values = answer
    if int(code) != 0:
        raise RuntimeError(code.name)
    return values[0] if values else None
