"""An engine: one network, compiled for one frame size by one backend.

auto: openvino, then onnxruntime; what was picked, and why, is part of the engine
"""

import logging
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import BackendError, UsageError
from cvqe.manifest import QP, Manifest
from runtime.model_file import ModelFile

Luma = NDArray[np.uint8]
log = logging.getLogger(__name__)
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")


@dataclass(frozen=True)
class EngineRequest:
    """What an engine is to be compiled for."""

    model: ModelFile
    height: int
    width: int
    bit_depth: int = 8
    precision: str = "auto"
    threads: int = 0  # 0: every processor this process may use


@dataclass(frozen=True)
class Enhanced:
    """One enhanced luma plane, [H, W] or [H, W, 2] uint8, the caller's own; False where a pixel was NaN or infinite."""

    luma: Luma
    is_finite: bool


class Engine(Protocol):
    """What every backend gives: windows in, enhanced luma out, from one thread at a time."""

    backend: str
    precision: str
    device: str

    def enhance(self, frames: Luma, qp: float | None = None) -> Enhanced:
        """Enhance the target of a window.

        Args:
            frames: [2R+1, H, W], or [2R+1, H, W, 2] for byte pairs; read only until this returns.
            qp: quantiser the target was coded at, on the scale of H.264 and HEVC. A network that takes one is told the
                nearest that it was trained on, any other network ignores it.

        Raises:
            UsageError: the network takes a QP, and it is None, NaN or infinite.
        """


@dataclass(frozen=True)
class Backend:
    """Where a backend's code is and which package it stands on."""

    module: str
    package: str
    install: str


# in the order in which auto tries them: on a CPU OpenVINO runs bf16 and is several times faster
BACKENDS = {
    "openvino": Backend("runtime.backends.openvino_cpu", "openvino", "pip install openvino"),
    "onnxruntime": Backend("runtime.backends.onnxruntime_cpu", "onnxruntime", "pip install onnxruntime"),
}


@dataclass(frozen=True)
class Choice:
    """An engine and the sentence that says why it was picked."""

    engine: Engine
    reason: str


def installed_version(name: str) -> str | None:
    """Return the version of a backend's package, None where it is not installed."""
    packages = [BACKENDS[name].package, BACKENDS[name].package + "-gpu"]
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def open_engine(request: EngineRequest, backend: str = "auto") -> Choice:
    """Compile a network with the backend asked for, or with the first that auto finds.

    Raises:
        UsageError: no such backend or precision.
        BackendError: it is not installed, or can't run this file; with `auto`, none can.
    """
    if request.precision not in PRECISIONS:
        raise UsageError(f"no precision {request.precision!r}; choose one of {', '.join(PRECISIONS)}.")
    if request.precision == "int8":
        raise BackendError(f"{request.model.path} holds no INT8 scales; choose --precision auto.")
    if backend != "auto":
        return Choice(_open(request, backend), "asked for")
    return _open_first(request)


def qp_input(manifest: Manifest, qp: float | None) -> dict[str, NDArray[np.float32]]:
    """Return what a backend feeds besides the window: the QP as `Engine.enhance` says, nothing where none is taken.

    Raises:
        UsageError: see there.
    """
    if not manifest.takes_qp:
        return {}
    if qp is None:
        raise UsageError(f"{manifest.network} takes a QP with every window, and none was given.")
    return {QP: np.array([manifest.trained_qp(qp)], np.float32)}


def last_words(error: Exception) -> str:
    """Return the last line of a library's message, where it says what went wrong; its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _open(request: EngineRequest, name: str) -> Engine:
    if name not in BACKENDS:
        raise UsageError(f"no backend {name!r}; choose auto, {', '.join(BACKENDS)}.")
    if installed_version(name) is None:
        others = [other for other in BACKENDS if installed_version(other)]
        instead = f"     or run on what is here:  --backend {others[0]}" if others else ""
        raise BackendError(
            f"{name} is not installed, so --backend {name} can't be used.\n"
            f"Install it:  {BACKENDS[name].install}{instead}"
        )
    try:
        module = import_module(BACKENDS[name].module)
    except (ImportError, AttributeError, OSError) as error:  # half installed, or two packages in one folder
        raise BackendError(
            f"{name} is installed but does not load ({error}).\nSee what is wrong:  python runtime/doctor.py"
        ) from error
    engine: Engine = module.open_engine(request)
    return engine


def _open_first(request: EngineRequest) -> Choice:
    passed_over: list[str] = []
    for name in BACKENDS:
        try:
            engine = _open(request, name)
        except BackendError as error:
            log.warning("%s is passed over: %s", name, error)
            passed_over.append(f"{name}: {str(error).splitlines()[0]}")
            continue
        reason = "; ".join([f"first of {', '.join(BACKENDS)} that runs here", *passed_over])
        return Choice(engine, reason)
    raise BackendError("no backend can run this network:\n" + "\n".join(passed_over))
