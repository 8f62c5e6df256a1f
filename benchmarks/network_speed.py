"""How long a network takes for a frame, computed in one of two ways, and the memory that takes; for a process alone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.frame_times import settled, timed_frames
from benchmarks.stream_speed import made_up_frames
from cvqe.errors import BackendError, UsageError
from runtime.backend_list import BACKENDS, automatic, installed_version
from runtime.engine import Engine, EngineRequest, open_engine
from runtime.machine import peak_memory_mb
from runtime.model_file import ModelFile, load_model_file

EAGER, BEST = WAYS = ("eager", "best")  # torch as the papers ran it; the backend that `auto` picks
QP = 37.0
N_DISTINCT = 12  # frames that are really different
MB = 2**20


@dataclass(frozen=True)
class SpeedRequest:
    """What to measure.

    Attributes:
        size: of a frame, WIDTHxHEIGHT.
        way: one of WAYS.
        device: cpu or cuda.
        threads: of the CPU's; 0: every processor this process may use.
        seconds: to take frames for; see `settled`, as for `at_least`.
    """

    model: Path
    size: str = "416x240"
    way: str = BEST
    device: str = "cpu"
    threads: int = 0
    seconds: float = 1.0
    at_least: int = 3


@dataclass(frozen=True)
class NetworkSpeed:
    """What came of it.

    Attributes:
        peak_memory_mb: what was taken beyond the libraries, of the device that computes, MiB; None where the system
            does not tell.
    """

    computed_by: str
    versions: str
    times_ms: list[float]
    peak_memory_mb: float | None


def size_of(size: str) -> tuple[int, int]:
    """Return width and height of a size like 416x240.

    Raises:
        UsageError: it is none.
    """
    width, mark, height = size.partition("x")
    if not (mark and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise UsageError(f"{size!r} is no size of a frame; WIDTHxHEIGHT was expected, as in 1280x720.")
    return int(width), int(height)


def network_speed(request: SpeedRequest) -> NetworkSpeed:
    """Open a network and time frame after frame; to be called once in a process, for the memory's sake.

    Raises:
        CvqeError: it can't be run in this way.
    """
    width, height = size_of(request.size)
    frames = made_up_frames(N_DISTINCT, height, width)
    _refuse_missing_gpu(request.device)
    _load_libraries(request.way)
    with _as_papers_compute(request):
        memory = _Memory(request.device)
        file = load_model_file(request.model)
        engine = _opened(request, file, height, width)
        times_ms = timed_frames(engine, file.manifest, frames, QP)
        taken_ms = settled(times_ms, request.seconds, request.at_least)
        is_on_gpu = request.device == "cuda" if request.way == EAGER else BACKENDS[engine.backend].needs_gpu
        return NetworkSpeed(*_named(engine, request), taken_ms, memory.taken_mb(is_on_gpu))


def speed_facts(request: SpeedRequest) -> dict[str, Any]:
    """Return `network_speed` as plain values."""
    return asdict(network_speed(request))


def _refuse_missing_gpu(device: str) -> None:
    if device == "cuda" and not import_module("torch").cuda.is_available():
        raise BackendError("torch sees no GPU here; choose --device cpu.")


def _load_libraries(way: str) -> None:
    """Import what is not the network's, so that it is not counted as its memory."""
    if way == EAGER:
        import_module("benchmarks.eager_network").load_what_torch_loads_late()
    else:
        import_module(BACKENDS[_cpu_backend()].module)


class _Memory:
    """How far this process and the GPU are filled before the network comes."""

    def __init__(self, device: str) -> None:
        self._host_mb = peak_memory_mb()
        self._free_mb = _free_on_gpu_mb() if device == "cuda" else 0.0

    def taken_mb(self, is_on_gpu: bool) -> float | None:
        """Return how much more was taken since; on a GPU what is held now, which torch does not give back between."""
        if is_on_gpu:
            return self._free_mb - _free_on_gpu_mb()
        peak_mb = peak_memory_mb()
        return None if peak_mb is None or self._host_mb is None else peak_mb - self._host_mb


def _free_on_gpu_mb() -> float:
    from benchmarks.gpu_machine import free_bytes  # needs torch

    return free_bytes() / MB


@contextmanager
def _as_papers_compute(request: SpeedRequest) -> Iterator[None]:
    """Let torch eager on a GPU compute float32 as such, and deformable convolutions by torchvision's kernel."""
    with ExitStack() as stack:
        if (request.way, request.device) == (EAGER, "cuda"):
            settings = import_module("benchmarks.eager_settings")
            try:
                stack.enter_context(settings.torchvisions_operation())
            except ModuleNotFoundError as error:
                raise BackendError(
                    "torchvision is not installed, whose deformable convolution stands for the papers' own kernels.\n"
                    "Install it:  pip install torchvision"
                ) from error
            stack.enter_context(settings.tf32(False))
        yield


def _opened(request: SpeedRequest, file: ModelFile, height: int, width: int) -> Engine:
    if request.way == EAGER:
        network: Engine = import_module("benchmarks.eager_network").EagerNetwork(file, request.device, request.threads)
        return network
    backend = "auto" if request.device == "cuda" else _cpu_backend()
    return open_engine(EngineRequest(file, height, width, threads=request.threads), backend).engine


def _cpu_backend() -> str:
    """Return what `auto` would pick if there were no GPU."""
    names = automatic(needs_gpu=False)
    return next((name for name in names if installed_version(name)), names[-1])


def _named(engine: Engine, request: SpeedRequest) -> tuple[str, str]:
    """Return what computed, and the versions that matter."""
    if request.way == BEST:
        return f"{engine.backend} {engine.precision}", f"{engine.backend}={installed_version(engine.backend)}"
    packages = ("torch", "torchvision") if request.device == "cuda" else ("torch",)
    return ", ".join([f"{engine.backend} {engine.precision}", *packages[1:]]), report.versions(packages)
