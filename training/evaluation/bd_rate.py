"""BD-rate: how much bit rate one curve of quality against rate saves over another, at equal quality.

    log10 rate                       difference of the two areas between the
      |      . anchor                lowest and the highest PSNR both reach,
      |    .  o tested               divided by that range: a mean log ratio
      |  . o
      +-----------> PSNR             Bjontegaard, VCEG-M33, 2001

For a filter behind the decoder both curves share their rates and only the PSNR differs: the BD-rate says how much
coarser the video could have been coded.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ShapeError

MIN_POINTS = 4  # a cubic has four coefficients
METHODS = ("cubic", "pchip")

Curve = NDArray[np.float64]


def bd_rate_pct(
    anchor_kbps: Sequence[float],
    anchor_db: Sequence[float],
    tested_kbps: Sequence[float],
    tested_db: Sequence[float],
    method: str = "cubic",
) -> float | None:
    """Return the mean difference in rate at equal PSNR, in percent; negative where the tested curve needs less.

    Args:
        anchor_kbps, tested_kbps: bit rates, positive, one for each QP.
        anchor_db, tested_db: the PSNR at each.
        method: "cubic", one least-squares cubic through all points as in VCEG-M33; or "pchip", monotone cubic pieces
            through every point (Fritsch and Butland, SISC 1984), as JCT-VC's spreadsheets have it.

    Returns:
        percent; None where it is not defined: fewer than four points, PSNR that does not rise with the rate, or
        curves that have no PSNR in common.

    Raises:
        ShapeError: a curve with as many rates as PSNR values was expected.
    """
    assert method in METHODS, method
    anchor, tested = _curve(anchor_kbps, anchor_db), _curve(tested_kbps, tested_db)
    low, high = max(anchor[0, 0], tested[0, 0]), min(anchor[0, -1], tested[0, -1])
    if not (_is_measurable(anchor) and _is_measurable(tested)) or low >= high:
        return None
    area = _cubic_area if method == "cubic" else _pchip_area
    mean_log_ratio = (area(tested, low, high) - area(anchor, low, high)) / (high - low)
    return float(100 * (10**mean_log_ratio - 1))


def _curve(kbps: Sequence[float], psnr_db: Sequence[float]) -> Curve:
    """Return PSNR and log10 rate, [2, n], by rising rate."""
    if len(kbps) != len(psnr_db) or not kbps:
        raise ShapeError(f"{len(kbps)} rates and {len(psnr_db)} PSNR values make no curve; one of each a QP is needed.")
    order = np.argsort(kbps)
    return np.stack([np.array(psnr_db, np.float64)[order], np.log10(np.array(kbps, np.float64)[order])])


def _is_measurable(curve: Curve) -> bool:
    return curve.shape[1] >= MIN_POINTS and bool((np.diff(curve) > 0).all())


def _cubic_area(curve: Curve, low: float, high: float) -> float:
    """Integrate the cubic that is nearest to the points; PSNR is centred, or the fit would lose digits."""
    center = float(curve[0].mean())
    integral = np.polyint(np.polyfit(curve[0] - center, curve[1], 3))
    return float(np.polyval(integral, high - center) - np.polyval(integral, low - center))


def _pchip_area(curve: Curve, low: float, high: float) -> float:
    """Integrate the cubic pieces, each from where it starts or `low` to where it ends or `high`."""
    x, y = curve
    slopes = pchip_slopes(x, y)
    total = 0.0
    for k in range(len(x) - 1):
        start, end = max(low, x[k]), min(high, x[k + 1])
        if start < end:
            integral = np.polyint(_hermite(x[k + 1] - x[k], y[k : k + 2], slopes[k : k + 2]))
            total += float(np.polyval(integral, end - x[k]) - np.polyval(integral, start - x[k]))
    return total


def _hermite(width: float, y: Curve, slopes: Curve) -> list[float]:
    """Return the cubic on [0, width] with these values and slopes at its ends, highest power first."""
    secant = (y[1] - y[0]) / width
    cubed = (slopes[0] + slopes[1] - 2 * secant) / width**2
    squared = (3 * secant - 2 * slopes[0] - slopes[1]) / width
    return [float(cubed), float(squared), float(slopes[0]), float(y[0])]


def pchip_slopes(x: Curve, y: Curve) -> Curve:
    """Return slopes at the points of a monotone curve with which its cubic pieces are monotone too.

    Inside, the weighted harmonic mean of the secants beside a point; at the ends a parabola through three points,
    held back where it would overshoot (Fritsch and Butland, SISC 1984; Moler, Numerical Computing with MATLAB, 3.6).
    """
    width, secant = np.diff(x), np.diff(y) / np.diff(x)
    left, right = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    inside = (left + right) / (left / secant[:-1] + right / secant[1:])
    first, last = _end_slope(width, secant), _end_slope(width[::-1], secant[::-1])
    return np.concatenate([[first], inside, [last]])


def _end_slope(width: Curve, secant: Curve) -> float:
    slope = ((2 * width[0] + width[1]) * secant[0] - width[0] * secant[1]) / (width[0] + width[1])
    return float(np.clip(slope, 0, 3 * secant[0]))  # a rising curve: no slope below 0
