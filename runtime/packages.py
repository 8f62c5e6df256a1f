"""The packages the runtime can stand on: which are here, whether they work, and what brings the others.

Importing this needs the standard library alone; a probe imports the package it asks about.
"""

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
CPU_EXTRAS = ("", "cpu")
# both unpack into one folder named onnxruntime, which pip does not notice
ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True)
class Package:
    """A package by the name pip knows, what the runtime does with it, and the extra of pyproject.toml with it."""

    name: str
    extra: str  # "": needed by every installation
    purpose: str
    probe: Callable[[], list[str]] | None = None  # what it offers; None: not imported, its version is enough
    also: tuple[str, ...] = ()  # other distributions of the same


@dataclass(frozen=True)
class Finding:
    """What is known of a package here; `install` is the command that brings or mends it."""

    name: str
    purpose: str
    version: str | None
    offers: tuple[str, ...] = ()
    problem: str | None = None
    install: str | None = None


def _import_numpy() -> list[str]:
    import numpy  # noqa: F401

    return []


def _import_numba() -> list[str]:
    import numba  # noqa: F401

    return []


def _ffmpeg_libraries() -> list[str]:
    import av

    libraries = ("libavcodec", "libavformat", "libavutil")
    versions = {name: ".".join(map(str, av.library_versions[name])) for name in libraries}
    return [f"FFmpeg {av.ffmpeg_version_info}", *(f"{name} {version}" for name, version in versions.items())]


def _newest_opset() -> list[str]:
    import onnx

    return [f"opset {onnx.defs.onnx_opset_version()}"]


def _execution_providers() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _openvino_capabilities() -> list[str]:
    import openvino

    return sorted(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _cuda_version() -> list[str]:
    from cuda.bindings import driver

    return [f"CUDA {driver.CUDA_VERSION // 1000}.{driver.CUDA_VERSION % 1000 // 10}"]


def _compiled_sampler() -> list[str]:
    from plugins.deform_conv.sampler import check_compiler

    check_compiler()
    return ["compiles DeformConv for this processor"]


PACKAGES = (
    Package("numpy", "", "frames as arrays", _import_numpy),
    Package("av", "", "reads and writes video", _ffmpeg_libraries),
    Package("onnx", "cpu", "reads networks", _newest_opset),
    Package("onnxruntime", "cpu", "--backend onnxruntime", _execution_providers, also=("onnxruntime-gpu",)),
    Package("openvino", "cpu", "--backend openvino, the faster one on a CPU", _openvino_capabilities),
    Package("llvmlite", "deform", "fast DeformConv under openvino", _compiled_sampler),
    Package("numba", "hevc", "reads HEVC's transform units, for networks that are guided by them", _import_numba),
    Package(
        "cuda-python", "trt", "talks to NVIDIA's driver: every backend on a GPU", _cuda_version, also=("cuda-bindings",)
    ),
    Package("tensorrt", "trt", "--backend tensorrt", also=("tensorrt-cu13", "tensorrt-cu12")),
    Package(
        "tensorrt-rtx",
        "trt-rtx",
        "--backend tensorrt-rtx; builds engines without a GPU, too",
        also=("tensorrt-rtx-cu13", "tensorrt-rtx-cu12"),
    ),
    Package("triton", "kernels", "compiles DeformConv when export/build_engine.py builds an engine"),
)


def installed_distributions() -> dict[str, str]:
    """Return name and version of everything this Python can import, names as pip normalises them."""
    found = {}
    for distribution in metadata.distributions():
        # what is half uninstalled leaves a folder without a name
        name: str | None = distribution.metadata["Name"]
        if name:
            found[name.lower().replace("_", "-").replace(".", "-")] = distribution.version
    return found


def examine(package: Package, installed: Mapping[str, str]) -> Finding:
    """Look for a package; where the runtime imports it, import it and ask what it offers."""
    name = next((name for name in (package.name, *package.also) if name in installed), None)
    if name is None:
        return Finding(package.name, package.purpose, None, install=pip("install", package.name))
    finding = Finding(package.name, package.purpose, installed[name])
    try:
        return replace(finding, offers=tuple(package.probe()) if package.probe else ())
    except Exception as error:  # a broken installation may fail in any way, and is what a doctor is for
        problem = f"does not work: {type(error).__name__}: {str(error).strip()}".splitlines()[0]
        return replace(finding, problem=problem, install=pip("install", "--force-reinstall", "--no-deps", name))


def onnxruntime_clash(installed: Mapping[str, str], has_gpu: bool) -> str | None:
    """Return what is wrong, and the commands that mend it, where two distributions share ONNX Runtime's folder."""
    both = [name for name in ONNXRUNTIMES if name in installed]
    if len(both) < 2:
        return None
    versions = " and ".join(f"{name} {installed[name]}" for name in both)
    wanted = "onnxruntime-gpu" if has_gpu else "onnxruntime"
    return (
        f"{versions} are both installed, into one folder: which of them runs is chance.\n"
        f"Keep one:  {pip('uninstall', '--yes', *both)} && {pip('install', wanted)}"
    )


def install_for_cpu(findings: tuple[Finding, ...]) -> str | None:
    """Return the one command that brings all that is missing for a CPU; None if nothing is."""
    wanted = {package.name for package in PACKAGES if package.extra in CPU_EXTRAS}
    missing = [finding.name for finding in findings if finding.version is None and finding.name in wanted]
    return pip("install", *missing) if missing else None


def pip(command: str, *arguments: str) -> str:
    """Spell a pip command for this very Python, at the versions that are tested together."""
    versions = ["-c", shown(CONSTRAINTS)] if command == "install" and CONSTRAINTS.exists() else []
    return shlex.join([shown(Path(sys.executable)), "-m", "pip", command, *versions, *arguments])


def shown(path: Path) -> str:
    """Shorten a path below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
