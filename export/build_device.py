"""The GPU an engine is built and timed on, or why there is none, and the GPUs it is built for."""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvqe.engine_manifest import capability_text
from cvqe.errors import BackendError, UsageError
from runtime.cuda.driver import Device, open_cuda

PROC_DRIVER = Path("/proc/driver/nvidia/version")
# engines of TensorRT-RTX without a named GPU, and of TensorRT for ampere+, run on 8.0 and up; our kernels come in one
# version for each of these
PORTABLE = (80, 86, 89, 90, 120)


@dataclass(frozen=True)
class BuildDevice:
    """The first GPU and its driver; None and the reason where there is none."""

    device: Device | None
    reason: str = ""

    @property
    def cuda_version(self) -> str | None:
        """Newest CUDA that the driver offers, as in 13.0."""
        return ".".join(map(str, self.device.cuda_version)) if self.device else None


@dataclass(frozen=True)
class Targets:
    """GPUs an engine is for: their compute capabilities, 89 for 8.9, and whether newer ones are, too."""

    compute_capabilities: tuple[int, ...]
    is_portable: bool

    def __str__(self) -> str:
        named = ", ".join(map(capability_text, self.compute_capabilities))
        return f"{named} and newer" if self.is_portable else named


@functools.cache
def find_device() -> BuildDevice:
    """Look for a GPU, once a process; none is no error here.

    It is not let go: TensorRT works in its context, and a thread whose context was released can't call CUDA any more.
    """
    try:
        return BuildDevice(open_cuda().device)
    except BackendError as error:
        return BuildDevice(None, str(error).splitlines()[0])


def driver_version(path: Path = PROC_DRIVER) -> str | None:
    """Return the release of NVIDIA's driver, as in 580.82.07; None where Linux does not tell it."""
    try:
        found = re.search(r"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s", path.read_text())
    except OSError:
        return None
    return found[1] if found else None


def choose_targets(
    library: str, asked: Sequence[int], device: Device | None, named: Iterable[int], compatibility: str | None = None
) -> Targets:
    """Decide which GPUs an engine is for.

    Args:
        library: tensorrt builds on the GPU that is here; tensorrt-rtx for those named, whatever is here.
        asked: by --computeCapabilities; empty: the one here, or where there is none all from 8.0 on.
        device: the GPU here.
        named: those TensorRT-RTX can be told; empty for tensorrt.
        compatibility: what --hardwareCompatibilityLevel says; ampere+ means more GPUs than the one here.

    Raises:
        UsageError: GPUs are named that the library can't be told.
        BackendError: tensorrt, and no GPU.
    """
    if library == "tensorrt":
        return _targets_of_tensorrt(asked, device, compatibility)
    unknown = [capability_text(each) for each in asked if each not in named]
    if unknown:
        offered = ",".join(map(capability_text, sorted(named)))
        raise UsageError(
            f"TensorRT-RTX can't be told to build for compute capability {', '.join(unknown)}; it can for "
            f"{offered}. Name some of those, or leave --computeCapabilities away for all from 8.0 on."
        )
    if not asked and device and device.compute_capability in named:
        asked = (device.compute_capability,)
    return Targets(tuple(asked), False) if asked else Targets(PORTABLE, True)


def _targets_of_tensorrt(asked: Sequence[int], device: Device | None, compatibility: str | None) -> Targets:
    if device is None:
        raise BackendError(
            "tensorrt builds on the very GPU an engine is for, and there is none here; build there, or ahead of time "
            "for RTX GPUs:  --library=tensorrt-rtx"
        )
    if asked and tuple(asked) != (device.compute_capability,):
        raise UsageError(
            f"tensorrt builds for the GPU it runs on ({device.name}, {capability_text(device.compute_capability)}); "
            "leave --computeCapabilities away, or name others with --library=tensorrt-rtx."
        )
    if compatibility == "ampere+":
        return Targets(tuple(sorted({*PORTABLE, device.compute_capability})), True)
    return Targets((device.compute_capability,), False)
