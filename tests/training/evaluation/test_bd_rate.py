"""BD-rate against curves whose answer is known, and against SciPy's interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqe.errors import ShapeError
from training.evaluation.bd_rate import METHODS, bd_rate_pct, pchip_slopes

KBPS = [100.0, 220.0, 500.0, 1200.0, 2600.0]
DB = [28.1, 31.0, 33.6, 36.2, 38.9]


def rising(least: float, most: float) -> st.SearchStrategy[list[float]]:
    steps = st.lists(st.floats(least, most), min_size=5, max_size=5)
    return steps.map(lambda values: list(np.cumsum(values)))


@pytest.mark.parametrize("method", METHODS)
def test_a_tenth_less_rate_at_every_psnr_is_minus_ten_percent(method):
    less = [0.9 * rate for rate in KBPS]
    assert bd_rate_pct(KBPS, DB, less, DB, method) == pytest.approx(-10)
    assert bd_rate_pct(KBPS, DB, KBPS, DB, method) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_gain_on_a_straight_curve_is_the_rate_its_slope_tells(method):
    # 6 dB double the rate ten times over log10 2: 1.5 dB more at the same rates are worth a quarter of a doubling
    rates = [100.0, 200.0, 400.0, 800.0]
    before, after = [30.0, 36.0, 42.0, 48.0], [31.5, 37.5, 43.5, 49.5]
    assert bd_rate_pct(rates, before, rates, after, method) == pytest.approx(100 * (2**-0.25 - 1))


def test_pchip_is_that_of_scipy():
    # scipy 1.16: PchipInterpolator(psnr, log10(rate)).integrate(31.42, 40.28) of both
    anchor = ([686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42])
    tested = ([893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24])
    assert bd_rate_pct(*anchor, *tested, "pchip") == pytest.approx(31.379878202397627, rel=1e-10)


def test_the_cubic_is_the_mean_over_the_common_range():
    worse = [value - 0.4 - 0.01 * value for value in DB]
    log_rates = [np.poly1d(np.polyfit(curve, np.log10(KBPS), 3)) for curve in (DB, worse)]
    at = np.linspace(max(DB[0], worse[0]), min(DB[-1], worse[-1]), 200_001)
    mean = np.trapezoid(log_rates[1](at) - log_rates[0](at), at) / (at[-1] - at[0])
    assert bd_rate_pct(KBPS, DB, KBPS, worse, "cubic") == pytest.approx(100 * (10**mean - 1), rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_it_is_not_defined_for_few_points_falling_curves_and_curves_apart(method):
    assert bd_rate_pct(KBPS[:3], DB[:3], KBPS[:3], DB[:3], method) is None
    assert bd_rate_pct(KBPS, DB[::-1], KBPS, DB, method) is None
    assert bd_rate_pct(KBPS, DB, KBPS, [value + 20 for value in DB], method) is None


def test_rates_without_psnr_are_refused():
    with pytest.raises(ShapeError, match="5 rates and 4 PSNR"):
        bd_rate_pct(KBPS, DB[:4], KBPS, DB)


@given(rising(0.5, 3), rising(0.2, 3), rising(0.2, 3), st.randoms())
def test_swapped_curves_undo_each_other_in_any_order_of_points(steps, first_db, second_db, random):
    rates = [100 * 2**step for step in steps]
    order = random.sample(range(5), 5)
    shuffled = [rates[i] for i in order], [second_db[i] for i in order]
    there = bd_rate_pct(rates, first_db, *shuffled, "pchip")
    back = bd_rate_pct(*shuffled, rates, first_db, "pchip")
    assert (there is None) == (back is None)
    if there is not None:
        assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


@given(rising(0.01, 5), rising(0.01, 5))
def test_pchips_slopes_are_those_of_rising_pieces(x, y):
    x, y = np.array(x), np.array(y)
    slopes, secants = pchip_slopes(x, y), np.diff(y) / np.diff(x)
    assert (slopes >= 0).all()
    # Fritsch and Carlson, SINUM 1980: a piece is monotone where both slopes are at most three times the secant
    assert (slopes[:-1] <= 3 * secants * (1 + 1e-9)).all()
    assert (slopes[1:] <= 3 * secants * (1 + 1e-9)).all()
