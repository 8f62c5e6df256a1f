"""A subject that is a checkpoint, run by torch with the integer ends of an exported graph.

Importing this imports no torch: an .onnx is evaluated without it.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cvqe.errors import BackendError, InputError, UsageError
from cvqe.file_digest import sha256_of
from cvqe.frame import Luma
from cvqe.models import hidden_channels, takes_guide, takes_qp
from runtime.engine import Enhanced, Guide
from runtime.meter import levels
from training.evaluation.cases import Case
from training.evaluation.luma_clip import LumaClip
from training.evaluation.network_windows import UNITS, Network, Wanted, enhance_windows, guide_settings
from training.evaluation.subject import Facts, Frames

PRECISIONS = ("fp32", "bf16", "fp16")
SUFFIXES = (".pt", ".pth", ".safetensors")
MAX_QP = 51


@dataclass(frozen=True)
class TorchNetwork:
    """A checkpoint of training/train.py; bf16 and fp16 are torch's autocast."""

    label: str
    path: Path
    precision: str
    device: str
    threads: int = 0
    guide: str = UNITS

    @property
    def name(self) -> str:
        """See Subject."""
        return f"{self.label} torch-{self.device} {self.precision}"

    def facts(self, case: Case) -> Facts:
        """See Subject."""
        sha256 = sha256_of(self.path)
        settings = guide_settings(takes_guide(_trained(self, sha256).network), self.guide)
        return Facts(self.name, f"torch-{self.device}", self.precision, settings, sha256)

    def needs_partitions(self, case: Case) -> bool:
        """See Subject."""
        return takes_guide(_trained(self, sha256_of(self.path)).network) and self.guide == UNITS

    def enhance(self, case: Case, decoded: LumaClip) -> Frames:
        """See Subject."""
        trained = _trained(self, sha256_of(self.path))
        network = trained.network
        guide = self.guide if takes_guide(network) else None
        wanted = Wanted(type(network).__name__, int(network.radius), trained.neighbors, guide)
        return enhance_windows(self._runner(trained, decoded.peak), case, decoded, wanted)

    def _runner(self, trained: "_Trained", peak: float) -> Network:
        """Return what does as an exported graph (cvqe/pixels.py): scale, enhance, round half to even, clamp."""
        torch = import_module("torch")
        hidden: list[Any] = []  # of a recurrent network, from frame to frame
        number = getattr(torch, {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[self.precision])

        def run(window: Luma, qp: float | None, guide: Guide | None) -> Enhanced:
            luma = torch.from_numpy(np.stack([levels(frame) for frame in window]).astype(np.float32))
            with torch.inference_mode(), torch.autocast(self.device, number, enabled=self.precision != "fp32"):
                told = [torch.tensor([known], device=self.device) for known in trained.qps_to_tell(qp)]
                if guide is not None:
                    told.append(torch.from_numpy(guide).to(self.device)[None, None] * np.float32(1 / peak))
                told += hidden or trained.hidden_start(luma.shape[1:], self.device)
                outputs = trained.network(luma.to(self.device)[None] * np.float32(1 / peak), *told)
                enhanced, *hidden[:] = outputs if isinstance(outputs, tuple) else (outputs,)
                enhanced = enhanced[0, 0].float()
                whole = (enhanced * peak).round().clamp(0, peak)
                is_finite = bool(enhanced.isfinite().all())
            return Enhanced(_luma(whole.cpu().numpy(), is_pairs=window.ndim == 4), is_finite)

        return run


def torch_network(
    label: str, path: Path, precision: str, device: str, threads: int, guide: str = UNITS
) -> TorchNetwork:
    """Check that a checkpoint can be run, by reading it.

    Args:
        precision: fp32, bf16 or fp16; auto is fp32.
        device: cpu or cuda; auto is cuda where there is one.

    Raises:
        BackendError: torch is not installed, or sees no GPU where one is asked for.
        UsageError: another precision.
        InputError, ModelError: the file is no checkpoint, or not one of ours.
    """
    if not path.is_file():
        raise InputError(f"{path} is no file; name a checkpoint ({', '.join(SUFFIXES)}) or an .onnx.")
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(f"a checkpoint runs in {', '.join(PRECISIONS)}, not in {precision}.")
    network = TorchNetwork(label, path, "fp32" if precision == "auto" else precision, _device(device), threads, guide)
    _trained(network, sha256_of(path))
    return network


def _device(wanted: str) -> str:
    try:
        has_gpu = bool(import_module("torch").cuda.is_available())
    except ImportError as error:
        raise BackendError(
            "torch is not installed, so a checkpoint can't be run.\n"
            "Install it:  pip install torch     or export the checkpoint elsewhere and give the .onnx"
        ) from error
    if wanted == "cuda" and not has_gpu:
        raise BackendError("torch sees no GPU here; choose --device cpu.")
    return ("cuda" if has_gpu else "cpu") if wanted == "auto" else wanted


@dataclass(frozen=True)
class _Trained:
    """A network with its weights, and the lowest and the highest QP it was trained on."""

    network: Any
    lowest_qp: float
    highest_qp: float
    neighbors: str

    def qps_to_tell(self, qp: float | None) -> list[float]:
        """Return the second input, for a network that has one: the QP within those trained on, or their middle."""
        if not takes_qp(self.network):
            return []
        wanted = (self.lowest_qp + self.highest_qp) / 2 if qp is None else qp
        return [float(min(max(wanted, self.lowest_qp), self.highest_qp))]

    def hidden_start(self, size: tuple[int, ...], device: str) -> list[Any]:
        """Return the state where a clip begins, zeros, for a network that has one; size is (height, width)."""
        channels = hidden_channels(self.network)
        return [import_module("torch").zeros(1, channels, *size, device=device)] if channels else []


@lru_cache(maxsize=1)
def _trained(subject: TorchNetwork, _sha256: str) -> _Trained:
    from cvqe.checkpoint import load_checkpoint, network_from_checkpoint  # needs torch

    if subject.threads:
        import_module("torch").set_num_threads(subject.threads)
    checkpoint = load_checkpoint(subject.path)
    qps = checkpoint.qp or (0, MAX_QP)
    network = network_from_checkpoint(checkpoint).to(subject.device)
    return _Trained(network, min(qps), max(qps), checkpoint.neighbors)


def _luma(whole: Any, is_pairs: bool) -> Luma:
    """Return levels as bytes [H, W], or little-endian byte pairs [H, W, 2]."""
    if not is_pairs:
        return np.asarray(whole).astype(np.uint8)
    return np.ascontiguousarray(whole).astype("<u2")[..., None].view(np.uint8)
