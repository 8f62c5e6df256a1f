"""A network on a GPU through any backend, beside torch eager in float32 with torchvision's operation."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_files import build_engine
from benchmarks.gpu_machine import free_bytes, give_back
from benchmarks.gpu_result import NotPossible
from benchmarks.report import Timing
from benchmarks.stream_speed import Luma, StreamSpeed, made_up_frames, measure_stream
from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.engine_manifest import LIBRARIES
from cvqe.layers import deform_block
from cvqe.layers.pixel_ends import PixelEnds
from runtime.backend_list import BACKENDS, installed_version
from runtime.engine import EngineRequest, open_engine
from runtime.fixed_grid import fixed_grid_map
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
    with torchvisions_operation(), tf32(allow_tf32), torch.inference_mode():
        ends = PixelEnds(network_from_checkpoint(load_checkpoint(model.path))).eval().cuda()
        times_s = _eager_times(ends, model, made_up_frames(N_DISTINCT, height, width), n_frames)
        held = before - free_bytes()
    p99_ms = float(1000 * np.quantile(times_s, 0.99))
    speed = StreamSpeed(n_frames / sum(times_s), Timing.of(1000 * second for second in times_s), p99_ms)
    return NetworkSpeed(EAGER_TF32 if allow_tf32 else EAGER_FP32, speed, held / 2**20)


def _eager_times(ends: PixelEnds, model: ModelFile, frames: list[Luma], n_frames: int) -> list[float]:
    manifest = model.manifest
    others = [torch.tensor([QP], device="cuda")] * manifest.takes_qp
    times_s = []
    for number in range(n_frames + WARM_UPS):
        window = np.stack([frames[(number + k) % len(frames)] for k in range(manifest.window_frames)])
        guide = [torch.from_numpy(fixed_grid_map(window[manifest.radius]))[None, None]] * manifest.takes_guide
        start = time.perf_counter()
        enhanced, _mean = ends(*(each.cuda() for each in (torch.from_numpy(window)[None], *others, *guide)))
        enhanced[0, 0].cpu().numpy()
        times_s.append(time.perf_counter() - start)
    return times_s[WARM_UPS:]


@contextmanager
def tf32(is_allowed: bool) -> Iterator[None]:
    """Let convolutions and products of float32 matrices round to TF32, or not, while inside."""
    convolution, product = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolution.allow_tf32, product.allow_tf32
    convolution.allow_tf32 = product.allow_tf32 = is_allowed
    try:
        yield
    finally:
        convolution.allow_tf32, product.allow_tf32 = before


@contextmanager
def torchvisions_operation() -> Iterator[None]:
    """Let every deformable block compute with torchvision.ops.deform_conv2d while inside."""
    from torchvision.ops import deform_conv2d

    def by_torchvision(x: Tensor, packed: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        n_mask = packed.shape[1] // 3
        offset, mask = packed.split((2 * n_mask, n_mask), 1)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        y: Tensor = deform_conv2d(x, offset, weight, bias, padding=padding, mask=mask.sigmoid())
        return y

    ours = deform_block.packed_deform_conv2d
    deform_block.packed_deform_conv2d = by_torchvision
    try:
        yield
    finally:
        deform_block.packed_deform_conv2d = ours
