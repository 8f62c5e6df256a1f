"""The gate: what a quantised network loses and how much faster it is, and whether that is worth a file.

    refused: more than MEAN_LIMIT_DB of PSNR lost in the mean, more than CLIP_LIMIT_DB on any clip, or not faster than
    the same network runs here without calibration: in 16 bits where the processor has them

Both are measured on a backend of this machine that computes in the precision. Where there is none, the loss comes from
rounding that is emulated in floating point, and the speed is not measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby
from math import inf, isnan
from statistics import fmean
from typing import Any

import numpy as np
import onnx

from calibration.computing import EMULATED_BY, computing_backend, engine_for, enhanced_luma, model_in_memory
from calibration.samples import Sample
from calibration.sized import sized
from calibration.speed import rounds_in, speedup, times_ms
from cvqe.errors import CvqeError
from cvqe.metrics import psnr_db
from runtime.engine import Engine
from runtime.meter import FLAT_DB
from runtime.model_file import ModelFile

MEAN_LIMIT_DB, CLIP_LIMIT_DB = 0.05, 0.1
EXACT = "fp32"
TIMED_SIZE = (720, 1280)  # height, width of the frames that are timed, whatever the samples' own are
TIMED_S = 12.0  # of timing in turns: short disturbances by other work are then no half of the rounds


class GateError(CvqeError):
    """A quantised network that does not pay for itself."""


@dataclass(frozen=True)
class Verdict:
    """What was measured of a quantised network, on windows of real frames.

    Attributes:
        precision: what it is quantised to.
        mean_loss_db: PSNR of the float32 network's pictures less its own, the mean over windows.
        worst_loss_db: the same over the windows of the clip that loses most, `worst_clip`.
        backend: what computed it in its precision; None: nothing here does, the rounding was emulated.
        speedup: how many times as fast it is as the network was in `compared_with`, by the same backend on frames of
            `size`; None: not measured.
    """

    precision: str
    n_windows: int
    mean_loss_db: float
    worst_loss_db: float
    worst_clip: str
    backend: str | None = None
    speedup: float | None = None
    compared_with: str | None = None
    size: str | None = None

    @property
    def objections(self) -> list[str]:
        """What speaks against the network, a clause each; a loss that is no number does."""
        return [
            *self._too_much(self.mean_loss_db, MEAN_LIMIT_DB, f"in the mean over {self.n_windows} windows"),
            *self._too_much(self.worst_loss_db, CLIP_LIMIT_DB, f"on {self.worst_clip}"),
            *[self._speed()] * (self.speedup is not None and not self.speedup > 1),
        ]

    def refuse_objections(self, what: str) -> None:
        """Refuse a network that something speaks against.

        Args:
            what: is refused: a file's name.

        Raises:
            GateError: with the numbers, and what to type.
        """
        if self.objections:
            raise GateError(
                f"{what} in {self.precision} is refused: {'; '.join(self.objections)}. Nothing was written. "
                f"{self._remedy()}, or write it all the same:  --force"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for a file's metadata."""
        return {**asdict(self), "objections": self.objections}

    def __str__(self) -> str:
        by = f"by {self.backend}" if self.backend else "with its rounding emulated, for no backend here computes in it"
        loss = f"{self.precision} {by}: {self.mean_loss_db:+.4f} dB lost in the mean over {self.n_windows} windows"
        return f"{loss}, {self.worst_loss_db:+.4f} dB on {self.worst_clip}; {self._speed()}"

    def _remedy(self) -> str:
        if self.objections == [self._speed()]:
            return "Measure again while nothing else computes, round more (--quantise ROLE)"
        return "Keep convolutions in 16 bits (--keep NODE), recover what is lost (--recovery)"

    @staticmethod
    def _too_much(loss_db: float, limit_db: float, where: str) -> list[str]:
        is_within = loss_db <= limit_db  # False for NaN
        return [] if is_within else [f"it loses {loss_db:.3f} dB {where}, where {limit_db} dB are allowed"]

    def _speed(self) -> str:
        if self.speedup is None:
            return "its speed is not measured"
        return f"it is {self.speedup:.2f} times as fast as in {self.compared_with} at {self.size}"


@dataclass(frozen=True)
class Loss:
    """PSNR lost on each window, in dB, with its clip's name."""

    clip: str
    loss_db: float


def judge(reference: onnx.ModelProto, quantised: onnx.ModelProto, samples: Sequence[Sample]) -> Verdict:
    """Measure a quantised network beside the one that it was made from.

    Args:
        reference: the network in floating point, with pixel ends and metadata.
        quantised: the same with Q and DQ nodes; its metadata names its precision.
        samples: windows that nothing was calibrated on; one at least.

    Raises:
        ModelError: one of the two carries no metadata.
        BackendError: no backend here runs the network.
    """
    exact, rounded = model_in_memory(reference, "reference"), model_in_memory(quantised, "quantised")
    backend = computing_backend(rounded)
    losses = list(_losses(exact, rounded, backend or EMULATED_BY, samples))
    verdict = _verdict(rounded.manifest.precision, losses)
    return replace(verdict, backend=backend, **_speed(exact, rounded, backend, samples)) if backend else verdict


def _losses(exact: ModelFile, rounded: ModelFile, backend: str, samples: Sequence[Sample]) -> Iterator[Loss]:
    for size, own in groupby(sorted(samples, key=_size), _size):
        before = engine_for(exact, size, backend, EXACT)
        after = engine_for(rounded, size, backend)
        for sample in own:
            psnr_before, psnr_after = (_psnr_db(engine, sample) for engine in (before, after))
            yield Loss(sample.clip, psnr_before - psnr_after)


def _psnr_db(engine: Engine, sample: Sample) -> float:
    return float(np.minimum(psnr_db(sample.pristine, enhanced_luma(engine, sample)), FLAT_DB))  # NaN stays NaN


def _verdict(precision: str, losses: Sequence[Loss]) -> Verdict:
    of_clip = {
        name: fmean(each.loss_db for each in losses if each.clip == name) for name in {each.clip for each in losses}
    }
    worst = max(sorted(of_clip), key=lambda name: inf if isnan(of_clip[name]) else of_clip[name])
    return Verdict(precision, len(losses), fmean(each.loss_db for each in losses), of_clip[worst], worst)


def _speed(exact: ModelFile, rounded: ModelFile, backend: str, samples: Sequence[Sample]) -> dict[str, Any]:
    """Time both on a window of one size, the network as it would run without calibration."""
    height, width = TIMED_SIZE
    engines = [engine_for(model, TIMED_SIZE, backend) for model in (exact, rounded)]
    window = sized(samples[0], TIMED_SIZE)
    runs = {number: partial(enhanced_luma, engine, window) for number, engine in enumerate(engines)}
    return {
        "speedup": speedup(*times_ms(runs, rounds_in(TIMED_S, runs)).values()),
        "compared_with": engines[0].precision,
        "size": f"{width}x{height}",
    }


def _size(sample: Sample) -> tuple[int, int]:
    height, width = sample.pristine.shape
    return height, width
