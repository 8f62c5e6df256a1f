"""An engine: one network, compiled for one frame size by one backend.

auto: the first of a GPU's backends, then of the CPU's, that can run it; what was picked, and why, is told
"""

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from cvqe.engine_manifest import LIBRARIES
from cvqe.errors import BackendError, ModelError, ShapeError, UsageError
from cvqe.manifest import GUIDE, HIDDEN, QP, QUANTISED, Manifest
from runtime.backend_list import BACKENDS, automatic, installed_version
from runtime.engine_file import built_from, load_engine_manifest
from runtime.gpu_presence import gpu_obstacle
from runtime.model_file import ModelFile
from runtime.quantised_file import refuse_other_precision

Luma = NDArray[np.uint8]
Guide = NDArray[np.float32]
T = TypeVar("T")
log = logging.getLogger(__name__)
PRECISIONS = ("auto", "fp32", "bf16", "fp16", *QUANTISED)


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

    def enhance(self, frames: Luma, qp: float | None = None, guide: Guide | None = None) -> Enhanced:
        """Enhance the target of a window.

        Args:
            frames: [2R+1, H, W], or [2R+1, H, W, 2] for byte pairs, each frame in one piece; read only until this
                returns.
            qp: quantiser the target was coded at, on the scale of H.264 and HEVC. A network that takes one is told the
                nearest that it was trained on, any other network ignores it.
            guide: float32 [H, W], the target's guided map in levels of its own depth; for a network that takes one,
                any other ignores it. Read only until this returns.

        Raises:
            UsageError: the network takes a QP, and it is None, NaN or infinite; or a guide, and it is None.
            ShapeError: the guide has another size or type.
        """

    def reset(self) -> None:
        """Begin another scene: a recurrent network forgets the frames before; any other has nothing to forget."""


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
    refuse_other_precision(request.model, request.precision)
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


def frame_inputs(
    manifest: Manifest, size: tuple[int, ...], qp: float | None, guide: Guide | None
) -> dict[str, NDArray[np.float32]]:
    """Return what a backend feeds besides the window: those of QP [1] and GUIDE [1, 1, H, W] that the network takes.

    Args:
        size: (height, width) of a frame.
        qp: see `Engine.enhance`; so is `guide`.

    Raises:
        UsageError, ShapeError: see there.
    """
    inputs = {}
    if manifest.takes_qp:
        inputs[QP] = np.array([manifest.trained_qp(_given(manifest, "a QP", qp))], np.float32)
    if manifest.takes_guide:
        inputs[GUIDE] = _sized(_given(manifest, "a guide", guide), size)[None, None]
    return inputs


def names_of_frame_inputs(manifest: Manifest) -> list[str]:
    """Return the names of what `frame_inputs` gives."""
    return [*[QP] * manifest.takes_qp, *[GUIDE] * manifest.takes_guide]


def hidden_start(manifest: Manifest, height: int, width: int) -> dict[str, NDArray[np.float32]]:
    """Return what a recurrent network is fed where a scene begins: HIDDEN [1, C, H, W], all zeros; else nothing."""
    shape = (1, manifest.hidden_channels, height, width)
    return {HIDDEN: np.zeros(shape, np.float32)} if manifest.is_recurrent else {}


def last_words(error: Exception) -> str:
    """Return the last line of a library's message, where it says what went wrong; its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _given(manifest: Manifest, what: str, value: T | None) -> T:
    if value is None:
        raise UsageError(f"{manifest.network} takes {what} with every window, and none was given.")
    return value


def _sized(guide: Guide, size: tuple[int, ...]) -> Guide:
    if guide.shape != size or guide.dtype != np.float32:
        raise ShapeError(f"the guide is {guide.dtype} {list(guide.shape)}; float32 {list(size)} was expected.")
    return np.ascontiguousarray(guide)


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
