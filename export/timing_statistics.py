"""Times of many inferences as numbers: what trtexec tells of them, and its file of them.

start_h2d .. end_h2d | start_compute .. end_compute | start_d2h .. end_d2h
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from cvqe.errors import UsageError

QUANTILES = (90, 95, 99)


@dataclass(frozen=True)
class InferenceTimes:
    """When one inference's three parts began and ended, ms after the first inference began."""

    start_h2d_ms: float
    end_h2d_ms: float
    start_compute_ms: float
    end_compute_ms: float
    start_d2h_ms: float
    end_d2h_ms: float

    @property
    def h2d_ms(self) -> float:
        """Time of the copy to the device."""
        return self.end_h2d_ms - self.start_h2d_ms

    @property
    def compute_ms(self) -> float:
        """Time on the GPU between the first kernel and the last."""
        return self.end_compute_ms - self.start_compute_ms

    @property
    def d2h_ms(self) -> float:
        """Time of the copy back."""
        return self.end_d2h_ms - self.start_d2h_ms

    @property
    def latency_ms(self) -> float:
        """The three parts without the waits between them, as trtexec counts it."""
        return self.h2d_ms + self.compute_ms + self.d2h_ms


@dataclass(frozen=True)
class Statistics:
    """What is told of many times, ms."""

    min: float
    max: float
    mean: float
    median: float
    p90: float
    p95: float
    p99: float

    def __str__(self) -> str:
        names = ("min", "max", "mean", "median", "p90", "p95", "p99")
        return ", ".join(f"{name} {getattr(self, name):.3f}" for name in names) + " ms"


@dataclass(frozen=True)
class TimingReport:
    """Everything that is told of a timed engine; throughput in inferences a second of the host's clock."""

    n_inferences: int
    throughput: float
    latency: Statistics
    h2d: Statistics
    compute: Statistics
    d2h: Statistics

    def __str__(self) -> str:
        parts = {
            "GPU compute": self.compute,
            "host to device": self.h2d,
            "device to host": self.d2h,
            "latency (all three)": self.latency,
        }
        lines = [f"throughput {self.throughput:.2f} inferences/s over {self.n_inferences}"]
        return "\n".join([*lines, *(f"{name}: {told}" for name, told in parts.items())])


def statistics_of(times_ms: Sequence[float]) -> Statistics:
    """Return the statistics of at least one time.

    Raises:
        UsageError: there is none.
    """
    if not times_ms:
        raise UsageError("no inference was timed; give --iterations or --duration more than 0.")
    ordered = sorted(times_ms)
    quantiles = (nearest_rank(ordered, each) for each in QUANTILES)
    return Statistics(ordered[0], ordered[-1], fmean(ordered), median(ordered), *quantiles)


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of the sorted times that at least `percent` of them do not exceed."""
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def report_of(times: Sequence[InferenceTimes], wall_s: float) -> TimingReport:
    """Return what is told of inferences that took `wall_s` by the host's clock.

    Raises:
        UsageError: there is none.
    """
    latency = statistics_of([each.latency_ms for each in times])
    return TimingReport(
        n_inferences=len(times),
        throughput=len(times) / wall_s,
        latency=latency,
        h2d=statistics_of([each.h2d_ms for each in times]),
        compute=statistics_of([each.compute_ms for each in times]),
        d2h=statistics_of([each.d2h_ms for each in times]),
    )


def times_to_json(times: Sequence[InferenceTimes]) -> str:
    """Write every inference as --exportTimes of trtexec does: a list, its names, ms."""
    return json.dumps([_named(each) for each in times], indent=1) + "\n"


def _named(times: InferenceTimes) -> dict[str, float]:
    return {
        "startH2dMs": times.start_h2d_ms,
        "endH2dMs": times.end_h2d_ms,
        "startComputeMs": times.start_compute_ms,
        "endComputeMs": times.end_compute_ms,
        "startD2hMs": times.start_d2h_ms,
        "endD2hMs": times.end_d2h_ms,
        "h2dMs": times.h2d_ms,
        "computeMs": times.compute_ms,
        "d2hMs": times.d2h_ms,
        "latencyMs": times.latency_ms,
    }


@dataclass(frozen=True)
class LayerTime:
    """Time of one layer over all profiled inferences."""

    name: str
    times_ms: tuple[float, ...]


def profile_rows(layers: Sequence[LayerTime], n_inferences: int) -> list[dict[str, float | str | int]]:
    """Return --exportProfile's rows: how many inferences, then time, mean, median and share of each layer.

    Names are trtexec's; a layer without a time is not told.
    """
    ran = [layer for layer in layers if layer.times_ms]
    total = sum(sum(layer.times_ms) for layer in ran) or 1.0
    rows: list[dict[str, float | str | int]] = [{"count": n_inferences}]
    for layer in ran:
        spent = sum(layer.times_ms)
        rows.append(
            {
                "name": layer.name,
                "timeMs": spent,
                "averageMs": spent / len(layer.times_ms),
                "medianMs": median(layer.times_ms),
                "percentage": 100 * spent / total,
            }
        )
    return rows
