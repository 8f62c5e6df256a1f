"""How far a backend's pictures are from torch's in float32, and what that costs in gain."""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import report
from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.engine_manifest import LIBRARIES
from cvqe.errors import BackendError
from cvqe.frame import Frame
from cvqe.metrics import psnr_db
from cvqe.models import takes_qp
from cvqe.neighbors import ADJACENT, distances, reach
from export.exporter import ExportConfig, export
from runtime.decoder import open_source
from runtime.engine import EngineRequest, open_engine
from runtime.engine_file import build_command
from runtime.gpu_presence import gpu_obstacle
from runtime.guides import Guides
from runtime.model_file import ModelFile, load_model_file
from training.luma_clips import load_luma
from training.patches import window_frames

Luma = NDArray[np.float32]
DEMO = report.ROOT / "docs" / "demo"
DECODED, DEMO_QP = "demo_qp37.mp4", 37.0
DEEP_PEAK, PEAK = 65535, 255
WIDEN = DEEP_PEAK // PEAK  # a sample of 8 bits times this is the same share of 16 bits, exactly


@dataclass(frozen=True)
class Provider:
    """A backend, the precision it is to compute in, the file it is given, and how many bits its samples have.

    With 16 bits, a result is known to 1/65535 of the range.
    """

    name: str
    backend: str
    precision: str
    file_precision: str = "fp32"
    deform_conv: str = "standard"
    packages: tuple[str, ...] = ()
    bit_depth: int = 16


PROVIDERS = (
    Provider("ONNX Runtime fp32", "onnxruntime", "fp32", packages=("onnxruntime",)),
    Provider("ONNX Runtime fp32, gather", "onnxruntime", "fp32", deform_conv="gather", packages=("onnxruntime",)),
    Provider("ONNX Runtime, fp16 file", "onnxruntime", "fp16", "fp16", packages=("onnxruntime",)),
    Provider("OpenVINO fp32", "openvino", "fp32", packages=("openvino", "llvmlite")),
    Provider("OpenVINO bf16", "openvino", "bf16", packages=("openvino", "llvmlite"), bit_depth=8),
    Provider("OpenVINO bf16, deep samples", "openvino", "bf16", packages=("openvino", "llvmlite")),
    Provider("torch-CUDA fp16", "torch-cuda", "fp16", "fp16", packages=("torch", "triton")),
    Provider("ONNX Runtime CUDA fp32", "onnxruntime-cuda", "fp32", packages=("onnxruntime-gpu",)),
    Provider("ONNX Runtime CUDA fp16", "onnxruntime-cuda", "fp16", "fp16", packages=("onnxruntime-gpu",)),
    Provider("TensorRT fp16", "tensorrt", "fp16", "fp16", packages=("tensorrt", "triton")),
    Provider("TensorRT-RTX fp16", "tensorrt-rtx", "fp16", "fp16", packages=("tensorrt-rtx", "triton")),
)


@dataclass(frozen=True)
class Frames:
    """Windows of a decoded clip, the original of each one's target, and its guided map where one is taken."""

    windows: NDArray[np.uint8]  # [N, 2R+1, H, W]
    pristine: NDArray[np.uint8]  # [N, H, W]
    guides: Luma | None = None  # in levels of 0 to 255, [N, H, W]

    def guide(self, number: int) -> Luma | None:
        """Return the guided map of one target, [H, W]."""
        return None if self.guides is None else self.guides[number]


@dataclass(frozen=True)
class Parity:
    """What lies between a backend and torch; luma is in [0, 1]."""

    largest_difference: float
    psnr_db: float
    gain_db: float
    loss_db: float


def demo_frames(n_frames: int, radius: int, neighbors: str = ADJACENT, takes_guide: bool = False) -> Frames:
    """Take windows evenly from the bundled clip; guided maps are of its own transform units."""
    decoded, pristine = (load_luma(DEMO / name) for name in (DECODED, "demo_original.mkv"))
    around = reach(neighbors, radius)
    targets = np.linspace(around, len(decoded) - around - 1, n_frames).round().astype(int)
    windows = [decoded[window_frames(t, radius, len(decoded), distances(neighbors, t, ()))] for t in targets]
    return Frames(np.stack(windows), pristine[targets], demo_guides()[targets] if takes_guide else None)


def demo_guides() -> Luma:
    """Return the guided maps of all frames of the bundled clip, [T, H, W]."""
    with open_source(DEMO / DECODED, with_partitions=True) as source:
        guides = Guides("the network", source.partition_obstacle)
        return np.stack([guides.of(item) for item in source.items() if isinstance(item, Frame)])


def torch_lumas(checkpoint: Path, frames: Frames) -> Luma:
    """Return what torch makes of every window in float32 on the CPU, in [0, 1], clamped as a file is; [N, H, W]."""
    network = network_from_checkpoint(load_checkpoint(checkpoint))
    lumas = []
    with torch.inference_mode():
        for number, window in enumerate(frames.windows):
            others, guide = [torch.tensor([DEMO_QP])] * takes_qp(network), frames.guide(number)
            if guide is not None:
                others.append(torch.from_numpy(guide)[None, None] / PEAK)
            enhanced = network(torch.from_numpy(window)[None].float() / PEAK, *others)
            lumas.append(enhanced[0, 0].clamp(0, 1).numpy())
    return np.stack(lumas)


def export_for(provider: Provider, checkpoint: Path, folder: Path) -> ModelFile:
    """Return the file a provider is given; exported to the folder where it is not there yet."""
    path = folder / f"{checkpoint.stem}_{provider.file_precision}_{provider.deform_conv}.onnx"
    if not path.exists():
        export(ExportConfig(checkpoint, None, path, provider.file_precision, deform_conv=provider.deform_conv))
    return load_model_file(path)


def backend_lumas(provider: Provider, file: ModelFile, frames: Frames, threads: int) -> Luma:
    """Return what a backend makes of every window, in [0, 1], in steps of 1/65535 or 1/255; [N, H, W].

    Raises:
        CvqeError: the backend can't run here, or not this file.
    """
    height, width = frames.pristine.shape[1:]
    if provider.backend in LIBRARIES and gpu_obstacle() is None:
        _build_engine(file, height, width, provider)
    request = EngineRequest(file, height, width, provider.bit_depth, provider.precision, threads)
    engine = open_engine(request, provider.backend).engine
    if provider.bit_depth == 8:
        enhanced_lumas = [engine.enhance(each, DEMO_QP, frames.guide(i)).luma for i, each in enumerate(frames.windows)]
        return np.stack(enhanced_lumas) / np.float32(PEAK)
    lumas = []
    for number, window in enumerate(frames.windows):
        pairs, guide = (window.astype("<u2") * WIDEN)[..., None].view(np.uint8), frames.guide(number)
        deep_guide = None if guide is None else guide * np.float32(WIDEN)
        enhanced = np.ascontiguousarray(engine.enhance(pairs, DEMO_QP, deep_guide).luma)
        lumas.append(enhanced.view("<u2")[..., 0].astype(np.float32) / DEEP_PEAK)
    return np.stack(lumas)


def _build_engine(file: ModelFile, height: int, width: int, provider: Provider) -> None:
    engine = file.path.with_name(f"{file.path.stem}_{provider.backend}.engine")
    manifest = file.for_bit_depth(provider.bit_depth).manifest
    _, *arguments = shlex.split(build_command(file.path, height, width, provider.backend, manifest, engine))
    done = subprocess.run([sys.executable, *arguments], cwd=report.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackendError(done.stderr.strip() or f"export/build_engine.py ends with exit code {done.returncode}")


def rounded(lumas: Luma, bit_depth: int) -> Luma:
    """Return luma in [0, 1] as a backend would store it in 8 bits; in 16 it is left as it is."""
    return np.round(lumas * np.float32(PEAK)) / np.float32(PEAK) if bit_depth == 8 else lumas


def compared(lumas: Luma, expected: Luma, frames: Frames) -> Parity:
    """Compare a backend's pictures with torch's, and both with the originals, frame by frame."""
    radius = frames.windows.shape[1] // 2
    decoded_db, torch_db, backend_db = (
        fmean(
            psnr_db(pristine / np.float32(255), luma, 1.0) for pristine, luma in zip(frames.pristine, each, strict=True)
        )
        for each in (frames.windows[:, radius] / np.float32(255), expected, lumas)
    )
    return Parity(
        float(np.abs(lumas - expected).max()),
        psnr_db(expected, lumas, 1.0),
        backend_db - decoded_db,
        torch_db - backend_db,
    )
