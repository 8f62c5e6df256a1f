"""An exported file against the network it came from, through ONNX Runtime."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from cvqe.errors import ModelError
from cvqe.manifest import ENHANCED, GUIDE, HIDDEN, HIDDEN_NEXT, PEAK, QP, WINDOW, Manifest
from cvqe.pixels import FLOAT_LUMA
from runtime.fixed_grid import fixed_grid_map

Floats = NDArray[np.float32]
# float32 sums in another order differ by some 1e-5 in a deep network; a wrong tap, offset order or pad by 1e-2 and more
FP32_ATOL = 1e-4
# half has 11 bits: 5e-4 at 1.0, and a few layers of it; what counts is the picture, so dB as well
FP16_ATOL = 2e-3
FP16_LOSS_DB = 0.01
LEVELS_APART = 1  # a luma within the tolerance of a half level may round to either side
SIZES = ((48, 80), (33, 47), (2, 2), (8, 9))
DEEP_PEAK = 1023.0
UNIT_PX = 8  # of the guide
STEPS = 3  # in a row of a recurrent network: the third sees a state that was made from a state


@dataclass(frozen=True)
class Verification:
    """How far an exported file is from torch, over all sizes and QPs tried."""

    largest_error: float
    levels_apart: int
    loss_db: float


def verify(model: onnx.ModelProto, network: nn.Module, manifest: Manifest) -> Verification:
    """Compare the float luma just before rounding and the integer output with the float32 network's.

    One that takes a QP is tried at the lowest it was trained on, the highest, and halfway between them. A guide is a
    mosaic of small units. A recurrent one is followed over some frames, from a state of zeros.

    Args:
        model: the file with its pixel ends.
        network: the same weights in float32.
        manifest: what the file says of itself.

    Raises:
        ModelError: the two differ by more than this precision may.
    """
    session = _session_with_float_luma(model)
    found = [
        [trial for size in SIZES for trial in _compare(session, network, manifest, size, qp)] for qp in _qps(manifest)
    ]
    worst = Verification(
        float(np.max([trial.largest_error for of_qp in found for trial in of_qp])),  # NaN where one is
        max(trial.levels_apart for of_qp in found for trial in of_qp),
        max(map(_loss_db, found)),
    )
    _refuse_beyond_tolerance(worst, manifest.precision)
    return worst


@dataclass(frozen=True)
class _Trial:
    """One picture through both; sums of squared errors against the pristine one."""

    largest_error: float
    levels_apart: int
    torch_error: float
    file_error: float


def _loss_db(trials: list[_Trial]) -> float:
    """Return what the file loses over all pixels: a picture of a few pixels gains or loses as its rounding falls."""
    torch_error, file_error = (sum(getattr(trial, name) for trial in trials) for name in ("torch_error", "file_error"))
    return max(10 * math.log10(file_error / torch_error), 0.0)


def _qps(manifest: Manifest) -> list[float | None]:
    return [min(manifest.qp), manifest.middle_qp, max(manifest.qp)] if manifest.takes_qp else [None]


def _refuse_beyond_tolerance(worst: Verification, precision: str) -> None:
    atol = FP32_ATOL if precision == "fp32" else FP16_ATOL
    is_within = worst.largest_error <= atol and worst.levels_apart <= LEVELS_APART  # False for NaN
    if not is_within or worst.loss_db > FP16_LOSS_DB:
        raise ModelError(
            f"the {precision} file is {worst.largest_error:.2g} of the range, {worst.levels_apart} levels and "
            f"{worst.loss_db:.4f} dB from torch; {atol:g}, {LEVELS_APART} and {FP16_LOSS_DB} are allowed. Nothing was "
            "written." + ("" if precision == "fp32" else " Try --precision fp32.")
        )


def _session_with_float_luma(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(helper.make_tensor_value_info(FLOAT_LUMA, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _compare(
    session: onnxruntime.InferenceSession,
    network: nn.Module,
    manifest: Manifest,
    size: tuple[int, int],
    qp: float | None,
) -> list[_Trial]:
    """Return one trial, or of a network that hands on a state some in a row: each side goes on from its own."""
    peak = _peak(manifest)
    of_torch = of_file = [np.zeros((1, manifest.hidden_channels, *size), np.float32)] * manifest.is_recurrent
    trials = []
    for step in range(STEPS if manifest.is_recurrent else 1):
        pristine, window = made_up_window(manifest.window_frames, size, peak, first=step)
        guide = fixed_grid_map(window[manifest.radius], UNIT_PX)[None, None] if manifest.takes_guide else None
        expected, *of_torch = _run_torch(network, _floats(peak, window, qp, guide) + of_torch)
        enhanced, luma, *of_file = _run_file(session, _feeds(manifest, window, qp, guide, of_file))
        trials.append(_trial(pristine, expected[0, 0], luma[0, 0], _levels(manifest, enhanced), peak))
    return trials


def _trial(pristine: Floats, expected: Floats, luma: Floats, levels: Floats, peak: float) -> _Trial:
    rounded = np.clip(np.round(expected * peak), 0, peak)
    levels_apart = np.nan_to_num(np.abs(levels - rounded), nan=peak).max()
    torch_error, file_error = (float(np.square(pristine - each).sum()) for each in (expected, luma))
    return _Trial(float(np.abs(luma - expected).max()), int(levels_apart), torch_error, file_error)


def _peak(manifest: Manifest) -> float:
    return 255.0 if manifest.bit_depth == 8 else DEEP_PEAK


def _levels(manifest: Manifest, enhanced: NDArray[np.uint8]) -> Floats:
    levels: Floats = enhanced[0, 0].astype(np.float32)
    return levels[..., 0] + 256 * levels[..., 1] if manifest.bit_depth == 16 else levels


def _floats(peak: float, window: Floats, qp: float | None, guide: Floats | None) -> list[Floats]:
    """Return torch's inputs for a window and a guide in levels."""
    others = [*([] if qp is None else [np.array([qp], np.float32)])]
    return [window[None] / np.float32(peak), *others, *([] if guide is None else [guide / np.float32(peak)])]


def _run_torch(network: nn.Module, inputs: list[Floats]) -> list[Floats]:
    """Return what torch makes of its inputs: the luma, and the hidden state where there is one."""
    with torch.no_grad():
        outputs = network(*map(torch.from_numpy, inputs))
    return [output.float().numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]


def _run_file(session: onnxruntime.InferenceSession, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return what the file makes of them: levels, luma, and the hidden state where there is one."""
    outputs: list[NDArray[Any]] = session.run([ENHANCED, FLOAT_LUMA, *[HIDDEN_NEXT] * (HIDDEN in feeds)], feeds)
    return outputs


def _feeds(
    manifest: Manifest, window: Floats, qp: float | None, guide: Floats | None, hidden: list[Floats]
) -> dict[str, NDArray[Any]]:
    """Return the file's inputs for a window and a guide in levels."""
    feeds: dict[str, NDArray[Any]] = {WINDOW: window.astype(np.uint8)[None]}
    if manifest.bit_depth == 16:
        feeds = {WINDOW: byte_pairs(window)[None], PEAK: np.array(DEEP_PEAK, np.float32)}
    if qp is not None:
        feeds[QP] = np.array([qp], np.float32)
    if guide is not None:
        feeds[GUIDE] = guide
    return {**feeds, **dict(zip([HIDDEN], hidden, strict=False))}


def made_up_window(n_frames: int, size: tuple[int, int], peak: float, first: int = 0) -> tuple[Floats, Floats]:
    """Make a moving picture of waves and edges; returns its clean target in [0, 1] and the noisy window in levels.

    Args:
        first: when the window begins, in frames.
    """
    random = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    shift = np.arange(n_frames, dtype=np.float32)[:, None, None] - n_frames // 2 + first
    waves = 0.5 + 0.3 * np.sin(x / 5 + shift / 3) * np.cos(y / 7) + 0.15 * (((x + shift) // 8 + y // 8) % 2)
    noisy = np.clip(waves + random.normal(0, 0.02, waves.shape), 0, 1)
    return waves[n_frames // 2].astype(np.float32), np.round(noisy * peak).astype(np.float32)


def byte_pairs(levels: Floats) -> NDArray[np.uint8]:
    """Split levels up to 65535 into little-endian byte pairs on a new last axis."""
    return levels.astype("<u2")[..., None].view(np.uint8)
