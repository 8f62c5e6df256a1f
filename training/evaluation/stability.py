"""How steady quality is along a clip: PVD and SD of its per-frame PSNR curve.

    PSNR   peak            peak
            /\\              /\\           SD  = how far frames are from the clip's mean
         __/  \\    ________/  \\__        PVD = how high the peaks stand above the valleys beside them
               \\__/
              valley

A coder that spends bits on every fourth frame makes such a curve, and an eye sees it flicker (Guan et al., MFQE 2.0,
TPAMI 2021, section 6.2).
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev

Extremum = tuple[float, float]  # frame number (between two frames where the curve is level), PSNR in dB


def sd_db(psnr_db: Sequence[float]) -> float:
    """Return the standard deviation of a clip's per-frame PSNR in dB, over all its frames (not the sample's)."""
    return pstdev(psnr_db)


def pvd_db(psnr_db: Sequence[float]) -> float | None:
    """Return the mean over the curve's peaks of their height above the nearest valley, in dB.

    Peaks and valleys are local maxima and minima with a lower or higher frame on both sides: the first and the last
    frame are neither. A level stretch counts once, at its middle. Of two valleys equally near the mean is taken, so
    that a clip shown backwards has the same PVD.

    Returns:
        dB, or None for fewer than two peaks.
    """
    peaks, valleys = extrema(psnr_db), extrema([-value for value in psnr_db])
    if len(peaks) < 2:
        return None
    return fmean(height + fmean(_nearest(frame, valleys)) for frame, height in peaks)


def extrema(curve: Sequence[float]) -> list[Extremum]:
    """Return the local maxima of a curve in their order; see pvd_db for what counts."""
    levels = _level_stretches(curve)
    return [
        middle
        for before, middle, after in zip(levels, levels[1:], levels[2:], strict=False)
        if before[1] < middle[1] > after[1]
    ]


def _level_stretches(curve: Sequence[float]) -> list[Extremum]:
    """Return the middle and the value of every run of equal values."""
    starts = [0, *(number for number, (a, b) in enumerate(pairwise(curve), 1) if a != b), len(curve)]
    return [((first + following - 1) / 2, curve[first]) for first, following in pairwise(starts)]


def _nearest(frame: float, valleys: Sequence[Extremum]) -> list[float]:
    """Return the values of the valley nearest to a frame: one, or two that are equally near."""
    distance = min(abs(frame - place) for place, _ in valleys)
    return [value for place, value in valleys if abs(frame - place) == distance]
