"""Frames a second of a network and its quantised version, by every backend of this machine that runs both."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from calibration.computing import COMPUTED_BY, engine_for, enhanced_luma
from calibration.samples import Sample
from calibration.sized import Size, sized
from calibration.speed import speedup, times_ms
from cvqe.errors import BackendError
from runtime.backend_list import installed_version
from runtime.engine import Engine
from runtime.model_file import ModelFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BackendSpeed:
    """One engine's time for a frame, one window at a time.

    Attributes:
        speedup: how many times as fast it is as the unquantised network runs by itself in this backend: in 16 bits
            where the processor has them.
    """

    size: str
    backend: str
    precision: str
    ms_per_frame: float
    frames_per_s: float
    speedup: float


def backend_speeds(
    exact: ModelFile, rounded: ModelFile, sample: Sample, sizes: Sequence[Size], rounds: int
) -> Iterator[BackendSpeed]:
    """Time both files, in turns, by every backend of this machine that computes in the precision; one may refuse them.

    Args:
        sample: of the networks' windows; repeated, or cut, to each size.
    """
    for backend in COMPUTED_BY[rounded.manifest.precision]:
        if installed_version(backend) is None:
            continue
        try:
            for size in sizes:
                yield from _speeds(exact, rounded, backend, sized(sample, size), rounds)
        except BackendError as error:
            log.warning("%s is not timed: %s", backend, error)


def _speeds(exact: ModelFile, rounded: ModelFile, backend: str, sample: Sample, rounds: int) -> Iterator[BackendSpeed]:
    height, width = sample.pristine.shape
    usual = engine_for(exact, (height, width), backend)
    engines = [
        engine_for(exact, (height, width), backend, "fp32"),
        usual,
        engine_for(rounded, (height, width), backend),
    ]
    by_precision: dict[str, Engine] = {engine.precision: engine for engine in engines}
    times = times_ms({name: partial(enhanced_luma, engine, sample) for name, engine in by_precision.items()}, rounds)
    for precision, own in times.items():
        ms = median(own)
        ratio = speedup(times[usual.precision], own)
        yield BackendSpeed(f"{width}x{height}", backend, precision, ms, 1000 / ms, ratio)
