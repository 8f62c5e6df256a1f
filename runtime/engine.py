"""An engine: one network, compiled for one frame size by one backend.

auto: the first of a GPU's backends, then of the CPU's, that can run it; what was picked, and why, is told
"""

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvqe.engine_manifest import LIBRARIES
from cvqe.errors import BackendError, ModelError, UsageError
from cvqe.manifest import QP, Manifest
from runtime.backend_list import BACKENDS, automatic, installed_version
from runtime.engine_file import built_from, load_engine_manifest
from runtime.gpu_presence import gpu_obstacle
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
class Choice:
    """An engine and the sentence that says why it was picked."""

    engine: Engine
    reason: str


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
    if request.model.is_engine and backend not in ("auto", *LIBRARIES):
        raise UsageError(
            f"{request.model.path} is a TensorRT engine, which --backend {backend} can't run; choose --backend auto, "
            "or give the .onnx file it was built from."
        )
    if backend != "auto":
        return Choice(_open(request, backend), "asked for")
    if request.model.is_engine:
        library = load_engine_manifest(request.model.path).library
        return Choice(_open(request, library), "what the engine was built by")
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
    _check_presence(name, request.model)
    backend = BACKENDS[name]
    try:
        module = import_module(backend.module)
    except (ImportError, AttributeError, OSError) as error:  # half installed, or two packages in one folder
        raise BackendError(
            f"{name} is installed but does not load ({error}).\nSee what is wrong:  python runtime/doctor.py"
        ) from error
    engine: Engine = module.open_engine(request, *backend.arguments)
    return engine


def _check_presence(name: str, model: ModelFile) -> None:
    """Say all that is missing at once: the package, and the GPU."""
    backend = BACKENDS[name]
    obstacle = gpu_obstacle() if backend.needs_gpu else None
    is_installed = installed_version(name) is not None
    if is_installed and obstacle is None:
        return
    missing = [*[f"{name} is not installed"] * (not is_installed), *[obstacle] * (obstacle is not None)]
    others = [other for other in automatic(needs_gpu=False) if installed_version(other) and other != name]
    remedies = [] if is_installed else [f"Install it:  {backend.install}"]
    source = f"--model {built_from(model.path)} " if model.is_engine else ""
    remedies += [f"{'or run' if remedies else 'Run'} on what is here:  {source}--backend {others[0]}"] if others else []
    raise BackendError(
        f"{' and '.join(filter(None, missing))}, so --backend {name} can't be used.\n{'     '.join(remedies)}".rstrip()
    )


def _open_first(request: EngineRequest) -> Choice:
    """Try a GPU's backends where there is one, then the CPU's; a GPU that stays idle is never kept quiet about."""
    obstacle = gpu_obstacle()
    names = [*(automatic(needs_gpu=True) if obstacle is None else []), *automatic(needs_gpu=False)]
    passed_over = [] if obstacle is None else [obstacle]
    for name in names:
        try:
            engine = _open(request, name)
        except (BackendError, ModelError) as error:
            log.warning("%s is passed over: %s", name, error)
            passed_over.append(f"{name}: {str(error).splitlines()[0]}")
            continue
        return Choice(engine, "; ".join([f"first of {', '.join(names)} that runs here", *passed_over]))
    raise BackendError("no backend can run this network:\n" + "\n".join(passed_over))
