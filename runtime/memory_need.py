"""How much memory a run will take, told before its first frame is decoded, from its size and its network's graph.

    total = libraries + pictures on their way (decoder, stages, encoder) + ring of luma + tensors of the network

The shares below were measured (benchmarks/bench_memory.py says how near the sum comes): peak resident size of
processes of their own, for two sizes, the one less the other.
"""

import logging
import os
from dataclasses import dataclass, replace

from av.video.format import VideoFormat
from av.video.stream import VideoStream

from cvqe.errors import CvqeError
from runtime.available_memory import available_bytes
from runtime.backend_list import BACKENDS, automatic, installed_version
from runtime.gpu_presence import gpu_obstacle
from runtime.graph_memory import bytes_per_pixel
from runtime.machine import CPUINFO, features_from_cpuinfo
from runtime.model_file import ModelFile
from runtime.pipeline import CHANNEL_FRAMES
from runtime.slots import RingLayout

log = logging.getLogger(__name__)
MB = 2**20
# of what a plain executor would need for the tensors, in float32; a GPU's engine has memory of its own
_TENSORS = {
    ("openvino", "int8"): 0.41,  # live at 3840x2160 took 63 MB more than in bf16
    ("openvino", "bf16"): 0.35,
    ("openvino", "fp32"): 0.7,
    ("onnxruntime", "fp32"): 1.6,
}
_LIBRARIES_BYTES = {"openvino": 230 * MB, "onnxruntime": 110 * MB}
_WEIGHTS = 4  # times the file: read, parsed, widened to float32, packed
_DECODER_PICTURES = 10  # that others are predicted from, besides one for each thread
_MOST_THREADS = 16  # that FFmpeg takes by itself
_AT_WORK_PICTURES = 3  # in the hands of the stages
# an encoder looks ahead, and keeps several versions of a picture
_ENCODER_PICTURES = {"libx264": 55, "libx265": 110, "libsvtav1": 160, "ffv1": 30}
_NEAREST = 0.7  # a run may take so much of what is expected


class MemoryShortError(CvqeError):
    """A run that this machine's memory can't hold."""


@dataclass(frozen=True)
class StatedVideo:
    """A video as its container states it, before anything is decoded."""

    width: int
    height: int
    pixel_format: str

    @property
    def n_pixels(self) -> int:
        """Pixels of a frame."""
        return self.width * self.height

    @property
    def picture_bytes(self) -> int:
        """Bytes of a decoded picture, all planes."""
        return self.n_pixels * VideoFormat(self.pixel_format).padded_bits_per_pixel // 8

    @property
    def bit_depth(self) -> int:
        """Bits of one sample."""
        return max(int(component.bits) for component in VideoFormat(self.pixel_format).components)


@dataclass(frozen=True)
class PlannedRun:
    """What the need depends on; words as in StreamConfig, None and "auto" as there."""

    video: StatedVideo
    model: ModelFile
    backend: str = "auto"
    precision: str = "auto"
    encoder: str | None = None
    ahead: int = 1
    threads: int = 0


def stated_video(stream: VideoStream) -> StatedVideo | None:
    """Read a stream's size from its container; None where only its frames tell."""
    context = stream.codec_context
    if not (context.width and context.height):
        return None
    return StatedVideo(context.width, context.height, context.pix_fmt or "yuv420p")


def memory_need(run: PlannedRun) -> int:
    """Estimate the peak resident size of a run, in bytes."""
    backend, precision = _resolved(run)
    manifest = run.model.manifest
    layout = RingLayout(manifest.radius, run.ahead, manifest.neighbors)
    waiting = 2 * CHANNEL_FRAMES + layout.n_slots + 1 + layout.n_out + _AT_WORK_PICTURES
    encoder = run.encoder or ("libx264" if run.video.bit_depth == 8 else "libx265")
    encoded = _ENCODER_PICTURES.get(encoder, _ENCODER_PICTURES["libx264"])
    threads = min(run.threads or os.cpu_count() or 1, _MOST_THREADS)
    pictures = _DECODER_PICTURES + threads + waiting + encoded
    ring = layout.n_places * run.video.n_pixels * (1 if run.video.bit_depth == 8 else 2)
    libraries = _LIBRARIES_BYTES.get(backend, _LIBRARIES_BYTES["onnxruntime"])
    return libraries + pictures * run.video.picture_bytes + ring + _engine_bytes(run, backend, precision)


def check_memory(source: str, run: PlannedRun) -> None:
    """Refuse a run that can't fit; where it may not, say so in the log and go on.

    Raises:
        MemoryShortError: with the numbers, and a backend that needs less where there is one.
    """
    available = available_bytes()
    need = memory_need(run)
    if available is None or need <= available:
        return
    backend, _ = _resolved(run)
    told = (
        f"{source} is {run.video.width}x{run.video.height}: {run.model.path.stem} by {backend} needs about "
        f"{_gb(need)} of memory for that, {_gb(available)} are free"
    )
    if _NEAREST * need <= available:
        log.warning("%s; it may not be enough", told)
        return
    raise MemoryShortError(f"{told}. {_advice(run, backend, available)}")


def _engine_bytes(run: PlannedRun, backend: str, precision: str) -> int:
    if BACKENDS[backend].needs_gpu or run.model.is_engine:
        return 0
    share = _TENSORS.get((backend, precision), _TENSORS[backend, "fp32"])
    tensors = bytes_per_pixel(run.model.content) * run.video.n_pixels
    return round(share * tensors) + _WEIGHTS * len(run.model.content)


def _resolved(run: PlannedRun) -> tuple[str, str]:
    """Name the backend and the precision that are likely to be taken."""
    backend = run.backend if run.backend in BACKENDS else _first_installed()
    precision = run.precision
    if precision == "auto" and run.model.manifest.is_quantised:
        precision = run.model.manifest.precision
    elif precision == "auto":
        precision = "bf16" if backend == "openvino" and _has_bf16() else "fp32"
    return backend, precision


def _first_installed() -> str:
    names = [*(automatic(needs_gpu=True) if gpu_obstacle() is None else []), *automatic(needs_gpu=False)]
    return next((name for name in names if installed_version(name)), names[-1])


def _has_bf16() -> bool:
    features = features_from_cpuinfo(CPUINFO.read_text()) if CPUINFO.exists() else None
    return bool(features and (features["AVX512-BF16"] or features["AMX-BF16"]))


def _advice(run: PlannedRun, backend: str, available: int) -> str:
    needs = {
        name: memory_need(replace(run, backend=name, precision="auto"))
        for name in automatic(needs_gpu=False)
        if name != backend and installed_version(name)
    }
    fitting = [f"--backend {name} (needs about {_gb(need)})" for name, need in needs.items() if need <= available]
    ways = [*fitting, "another network", "a smaller video", "--no-memory-check"]
    return f"Use {', '.join(ways[:-1])}, or run it all the same with {ways[-1]}"


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
