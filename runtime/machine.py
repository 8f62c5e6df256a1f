"""The hardware this process may use, as the operating system tells it.

Needs the standard library alone: doctor.py has to work where nothing is installed.
"""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
OWN_STATUS = Path("/proc/self/status")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# what inference gains from, and the kernel's word for it
FEATURES = {
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "AVX512-VNNI": "avx512_vnni",
    "AVX512-BF16": "avx512_bf16",
    "AMX-BF16": "amx_bf16",
    "AMX-INT8": "amx_int8",
}
GPU_FACTS = ("name", "driver_version", "memory.total")
NVIDIA_SMI_TIMEOUT_S = 20  # it wakes up drivers that sleep


@dataclass(frozen=True)
class Machine:
    """The processor, its memory and the NVIDIA GPUs beside it; None is unknown."""

    processor: str
    n_cores: int
    core_quota: float | None  # processors' worth of time a container may use, None where nothing limits it
    features: dict[str, bool] | None
    memory_bytes: int | None
    gpus: tuple[str, ...]
    gpu_note: str | None  # why there are none


def this_machine() -> Machine:
    """Ask the operating system."""
    cpuinfo = _text(CPUINFO)
    gpus, gpu_note = nvidia_gpus()
    return Machine(
        processor=cpuinfo_value(cpuinfo, "model name") or platform.processor() or platform.machine() or "unknown",
        n_cores=_n_cores(),
        core_quota=quota_from_cpu_max(_text(CPU_QUOTA)),
        features=features_from_cpuinfo(cpuinfo),
        memory_bytes=_memory_bytes(),
        gpus=gpus,
        gpu_note=gpu_note,
    )


def peak_memory_mb() -> float | None:
    """Return the largest resident size this process has had; None where /proc does not tell.

    Not getrusage's: a child process starts with its parent's.
    """
    peak = cpuinfo_value(_text(OWN_STATUS), "VmHWM")
    return int(peak.split()[0]) / 1024 if peak else None


def features_from_cpuinfo(cpuinfo: str) -> dict[str, bool] | None:
    """Tell which of FEATURES an x86 processor has; None where the text names no flags, as on ARM."""
    flags = cpuinfo_value(cpuinfo, "flags")
    if flags is None:
        return None
    return {name: flag in flags.split() for name, flag in FEATURES.items()}


def cpuinfo_value(cpuinfo: str, key: str) -> str | None:
    """Return the first processor's value of a key of /proc/cpuinfo."""
    pairs = (line.partition(":") for line in cpuinfo.splitlines())
    return next((value.strip() for name, _, value in pairs if name.strip() == key), None)


def quota_from_cpu_max(cpu_max: str) -> float | None:
    """Read a control group's cpu.max, "QUOTA PERIOD" in microseconds; "max" limits nothing."""
    quota, _, period = cpu_max.strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def nvidia_gpus() -> tuple[tuple[str, ...], str | None]:
    """List the GPUs NVIDIA's driver sees, or say why there are none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), "nvidia-smi, which comes with NVIDIA's driver, is not on PATH"
    query = [program, f"--query-gpu={','.join(GPU_FACTS)}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), f"nvidia-smi does not answer: {error}"
    lines = (answer.stdout.strip() or answer.stderr.strip() or "it says nothing").splitlines()
    if answer.returncode:
        return (), f"nvidia-smi fails: {lines[0]}"
    return tuple(lines), None


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, others not these names
        return None


def _text(path: Path) -> str:
    """Read a file of the kernel's; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
