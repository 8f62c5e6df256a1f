"""How large a tensor's values get: four ways to choose amax, the magnitude that the largest 8-bit number stands for.

    count |\\
          | \\___                min-max      nothing is clipped
          |      \\______         percentile   a small share is
          +-------------+- |x|   entropy      the histogram changes least (Migacz, GTC 2017)
                    ^ amax       mse          rounding and clipping cost least together

All four read one histogram of magnitudes, so every sample is computed once and none is kept. (ONNX Runtime's own
calibrators hold the activations of all samples until the last, and know no mse.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ModelError

N_BINS = 2048
SMALLEST = 1e-30  # of what is counted: narrower bins would be no float32 numbers
PERCENTILE = 99.99
N_LEVELS = 128  # magnitudes an int8 can hold, 0 included
ENTROPY_STEP = 16  # bins between two candidates
N_CANDIDATES = 100

Histogram = NDArray[np.float64]


@dataclass
class Magnitudes:
    """Counts of |x| in bins of one width over [0, limit]; the limit doubles when a larger value comes.

    Attributes:
        name: of the tensor, for messages.
        lowest: of all values.
        n_zeros: of all that were counted; they lie in the first bin.
    """

    name: str = "a tensor"
    amax: float = 0.0
    lowest: float = 0.0
    n_zeros: int = 0
    limit: float = 0.0
    counts: Histogram = field(default_factory=lambda: np.zeros(N_BINS))

    def see(self, values: NDArray[np.float32]) -> None:
        """Count values of any shape.

        Raises:
            ModelError: one is NaN or infinite.
        """
        magnitudes = np.abs(values).ravel()
        largest = float(magnitudes.max(initial=0.0))
        if not np.isfinite(largest):
            raise ModelError(
                f"{self.name} becomes NaN or infinite on a sample; finite numbers were expected. Check the network:  "
                "python training/evaluate.py --model FILE.onnx --clips CLIPS --coded CODED"
            )
        self.amax, self.lowest = max(self.amax, largest), min(self.lowest, float(values.min(initial=0.0)))
        self.n_zeros += int(np.count_nonzero(magnitudes == 0))
        self._widen(largest)
        if self.limit >= SMALLEST:
            self.counts += np.histogram(magnitudes, N_BINS, (0.0, self.limit))[0]

    def _widen(self, largest: float) -> None:
        if not self.limit:
            self.limit = largest
        while largest > self.limit:
            pairs = self.counts.reshape(-1, 2).sum(1)
            self.counts = np.concatenate([pairs, np.zeros(N_BINS // 2)])
            self.limit *= 2

    @property
    def width(self) -> float:
        """Of one bin."""
        return self.limit / N_BINS


def min_max(seen: Magnitudes) -> float:
    """Return the largest magnitude."""
    return seen.amax


def percentile(seen: Magnitudes) -> float:
    """Return what PERCENTILE percent of all values that are not 0 do not exceed."""
    counts = seen.counts.copy()
    counts[0] -= seen.n_zeros
    share = np.cumsum(counts) / max(counts.sum(), 1)
    n_bins = int(np.searchsorted(share, PERCENTILE / 100)) + 1
    return float(min(n_bins * seen.width, seen.amax))


def entropy(seen: Magnitudes) -> float:
    """Return the amax whose histogram in N_LEVELS levels has the least divergence from the clipped one."""
    last = int(np.flatnonzero(seen.counts)[-1]) + 1
    candidates = [*range(N_LEVELS, last, ENTROPY_STEP), max(last, N_LEVELS)]
    best = min(candidates, key=lambda n: _divergence(seen.counts, n))
    return float(min(best * seen.width, seen.amax))


def mse(seen: Magnitudes) -> float:
    """Return the amax with which rounding and clipping make the least squared error."""
    middles: Histogram = (np.arange(N_BINS, dtype=np.float64) + 0.5) * seen.width
    candidates = [seen.amax * number / N_CANDIDATES for number in range(1, N_CANDIDATES + 1)]
    return min(candidates, key=lambda amax: _squared_error(seen.counts, middles, amax))


OBSERVERS: Mapping[str, Callable[[Magnitudes], float]] = {
    "min-max": min_max,
    "percentile": percentile,
    "entropy": entropy,
    "mse": mse,
}


def amax_of(seen: Magnitudes, observer: str) -> float:
    """Return a tensor's amax by one of OBSERVERS; 1 for one that is as good as zero, whose scale is any."""
    return OBSERVERS[observer](seen) if seen.amax >= SMALLEST else 1.0


def _squared_error(counts: Histogram, middles: Histogram, amax: float) -> float:
    step = amax / (N_LEVELS - 1)
    rounded = np.minimum(np.round(middles / step), N_LEVELS - 1) * step
    # a bin's values are spread over it: where bins are wider than steps, rounding costs step^2 / 12 and no less
    error = np.where(middles <= amax, np.maximum((middles - rounded) ** 2, step**2 / 12), (middles - amax) ** 2)
    return float((counts * error).sum())


def _divergence(counts: Histogram, n_bins: int) -> float:
    """Return how far n_bins in N_LEVELS levels diverge, after Kullback and Leibler, from all bins clipped to n_bins."""
    clipped = counts[:n_bins].copy()
    clipped[-1] += counts[n_bins:].sum()
    level = np.arange(n_bins) * N_LEVELS // n_bins
    sums = np.bincount(level, counts[:n_bins], N_LEVELS)
    filled = np.bincount(level, counts[:n_bins] > 0, N_LEVELS)
    spread = np.where(counts[:n_bins] > 0, (sums / np.maximum(filled, 1))[level], 0.0)
    p, q = clipped / clipped.sum(), spread / max(spread.sum(), 1.0)
    there = p > 0
    return float((p[there] * np.log(p[there] / np.maximum(q[there], 1e-12))).sum())
