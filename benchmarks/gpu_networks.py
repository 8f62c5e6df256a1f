"""A network on a GPU through every backend that opens, beside torch eager in float32 with torchvision's operation."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.report import Timing
from benchmarks.stream_speed import Luma, StreamSpeed, made_up_frames, measure_stream
from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import CvqeError
from cvqe.layers import deform_block
from cvqe.layers.pixel_ends import PixelEnds
from runtime.backend_list import BACKENDS
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import ModelFile

GPU_BACKENDS = tuple(name for name, backend in BACKENDS.items() if backend.needs_gpu)
EAGER = "torch eager fp32, torchvision"
QP = 37.0
N_DISTINCT = 12  # frames that are really different; a stream repeats them


@dataclass(frozen=True)
class NetworkSpeed:
    """What one provider reached; `problem` says why it did not run."""

    provider: str
    speed: StreamSpeed | None = None
    memory_mb: float = 0.0
    problem: str = ""


def measure_backends(model: ModelFile, height: int, width: int, n_frames: int) -> Iterator[NetworkSpeed]:
    """Run a stream through every GPU backend in turn; those that can't run say why."""
    frames = made_up_frames(N_DISTINCT, height, width)
    for backend in GPU_BACKENDS:
        before = _free_bytes()
        try:
            engine = open_engine(EngineRequest(model, height, width), backend).engine
            speed = measure_stream(engine, model.manifest.radius, frames, n_frames, QP)
        except CvqeError as error:
            yield NetworkSpeed(backend, problem=str(error).splitlines()[0])
            continue
        yield NetworkSpeed(f"{backend} {engine.precision}", speed, (before - _free_bytes()) / 2**20)
        engine.close()  # type: ignore[attr-defined]
        torch.cuda.empty_cache()


def measure_eager(model: ModelFile, height: int, width: int, n_frames: int) -> NetworkSpeed:
    """Run the network as its authors do: eager, float32, torchvision's operation, a window uploaded for every frame."""
    frames = made_up_frames(N_DISTINCT, height, width)
    before = _free_bytes()
    network = network_from_checkpoint(load_checkpoint(model.path))
    ends = PixelEnds(network).eval().cuda()
    qp = [torch.tensor([QP], device="cuda")] if model.manifest.takes_qp else []
    n_window = model.manifest.window_frames
    times = []
    with torchvisions_operation(), torch.inference_mode():
        for number in range(n_frames + 3):
            window = np.stack([frames[(number + k) % len(frames)] for k in range(n_window)])
            start = time.perf_counter()
            _enhance(ends, window, qp)
            times.append(time.perf_counter() - start)
    kept = np.array(times[3:])
    speed = StreamSpeed(
        len(kept) / kept.sum(), Timing.of((1000 * kept).tolist()), float(1000 * np.quantile(kept, 0.99))
    )
    return NetworkSpeed(EAGER, speed, (before - _free_bytes()) / 2**20)


def _enhance(ends: PixelEnds, window: Luma, qp: list[Tensor]) -> Luma:
    enhanced, _mean = ends(torch.from_numpy(window)[None].cuda(), *qp)
    luma: Luma = enhanced[0, 0].cpu().numpy()
    return luma


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


def _free_bytes() -> int:
    torch.cuda.synchronize()
    return int(torch.cuda.mem_get_info()[0])
