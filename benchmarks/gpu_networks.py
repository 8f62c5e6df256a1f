"""A network on a GPU through any backend, beside torch eager in float32 with torchvision's operation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from benchmarks.eager_network import EagerNetwork
from benchmarks.eager_settings import tf32, torchvisions_operation
from benchmarks.frame_times import timed_frames
from benchmarks.gpu_files import build_engine
from benchmarks.gpu_machine import free_bytes, give_back
from benchmarks.gpu_result import NotPossible
from benchmarks.report import Timing
from benchmarks.stream_speed import StreamSpeed, made_up_frames, measure_stream
from cvqe.engine_manifest import LIBRARIES
from runtime.backend_list import BACKENDS, installed_version
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import ModelFile

GPU_BACKENDS = tuple(name for name, backend in BACKENDS.items() if backend.needs_gpu)
# left alone, torch convolves float32 in TF32, with 10 bits of mantissa; the papers' way is measured in both
EAGER_FP32, EAGER_TF32 = "torch eager fp32, torchvision", "torch eager tf32, torchvision"
QP = 37.0
N_DISTINCT = 12  # frames that are really different; a stream repeats them
WARM_UPS = 3


@dataclass(frozen=True)
class NetworkSpeed:
    """What one provider reached; memory_mb is what it held of the device's at the stream's end, MiB."""

    provider: str
    speed: StreamSpeed
    memory_mb: float


def works(model: ModelFile, height: int, width: int, n_frames: int) -> dict[str, Callable[[], NetworkSpeed]]:
    """Return what measures each provider, by name; torch eager gets fewer frames."""
    n_eager = max(5, n_frames // 20)
    found: dict[str, Callable[[], NetworkSpeed]] = {
        EAGER_FP32: partial(measure_eager, model, height, width, n_eager, allow_tf32=False),
        EAGER_TF32: partial(measure_eager, model, height, width, n_eager, allow_tf32=True),
    }
    return found | {name: partial(measure_backend, model, name, height, width, n_frames) for name in GPU_BACKENDS}


def measure_backend(model: ModelFile, backend: str, height: int, width: int, n_frames: int) -> NetworkSpeed:
    """Run a stream through a backend; a TensorRT library's engine is built first, which is not timed.

    Raises:
        NotPossible: its package is not installed, or it does not build for this GPU.
        CvqeError: it can't run here, or not this network.
    """
    if installed_version(backend) is None:
        raise NotPossible(f"{backend} is not installed ({BACKENDS[backend].install})")
    give_back()
    if backend in LIBRARIES:
        build_engine(model, height, width, backend)
    before = free_bytes()
    engine = open_engine(EngineRequest(model, height, width), backend).engine
    held: list[int] = []
    try:
        manifest = model.manifest
        speed = measure_stream(
            engine,
            manifest.radius,
            made_up_frames(N_DISTINCT, height, width),
            n_frames,
            QP,
            at_end=lambda: held.append(before - free_bytes()),
            takes_guide=manifest.takes_guide,
            neighbors=manifest.neighbors,
        )
    finally:
        engine.close()  # type: ignore[attr-defined]
    return NetworkSpeed(f"{backend} {engine.precision}", speed, held[0] / 2**20)


def measure_eager(model: ModelFile, height: int, width: int, n_frames: int, allow_tf32: bool) -> NetworkSpeed:
    """Run the network as its authors do: eager, float32, torchvision's operation, a window uploaded for every frame.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
    """
    give_back()
    before = free_bytes()
    with torchvisions_operation(), tf32(allow_tf32):
        network = EagerNetwork(model, "cuda")
        times_ms = timed_frames(network, model.manifest, made_up_frames(N_DISTINCT, height, width), QP)
        measured_ms = list(islice(times_ms, WARM_UPS, WARM_UPS + n_frames))
        held = before - free_bytes()
    speed = StreamSpeed(
        1000 * n_frames / sum(measured_ms), Timing.of(measured_ms), float(np.quantile(measured_ms, 0.99))
    )
    return NetworkSpeed(EAGER_TF32 if allow_tf32 else EAGER_FP32, speed, held / 2**20)
