import numpy as np
import pytest

from calibration.observers import N_BINS, OBSERVERS, Magnitudes, amax_of
from cvqe.errors import ModelError


def seen(*values: np.ndarray) -> Magnitudes:
    magnitudes = Magnitudes()
    for each in values:
        magnitudes.see(each.astype(np.float32))
    return magnitudes


def gaussian(n: int = 100_000, outlier: float = 0.0) -> np.ndarray:
    return np.append(np.random.default_rng(0).normal(size=n), outlier)


def test_min_max_is_the_largest_magnitude_of_all_that_came():
    assert amax_of(seen(np.array([1.0, -5.0]), np.array([3.0])), "min-max") == 5.0


def test_a_histogram_that_grew_counts_as_one_that_had_the_width_from_the_start():
    small, large = np.array([0.3, 0.9, -1.0]), np.array([8.0])
    grown, whole = seen(small, large), seen(large, small[:-1])  # -1 ends a bin of the one and begins one of the other
    assert (grown.limit, grown.counts.sum()) == (8.0, 4.0)
    grown.counts[255] -= 1
    np.testing.assert_array_equal(grown.counts, whole.counts)


@pytest.mark.parametrize("observer", ["percentile", "entropy"])
def test_one_outlier_does_not_take_the_scale(observer):
    assert amax_of(seen(gaussian(outlier=100.0)), observer) < 20


@pytest.mark.parametrize("observer", OBSERVERS)
def test_what_is_even_up_to_its_end_is_hardly_clipped(observer):
    # entropy and mse weigh the last levels against the others, so they may give up a few of 128
    assert amax_of(seen(np.linspace(-2, 2, 50_000)), observer) == pytest.approx(2.0, rel=0.05)


def test_mse_clips_a_bell_curve_where_rounding_and_clipping_cost_least():
    values = gaussian()

    def cost(amax: float) -> float:
        step = amax / 127
        return float(np.mean((np.clip(np.round(values / step), -127, 127) * step - values) ** 2))

    chosen = amax_of(seen(values), "mse")
    assert cost(chosen) <= 1.02 * min(cost(amax) for amax in np.linspace(2, 5, 31))  # 2 %: one of 100 candidates


@pytest.mark.parametrize("observer", OBSERVERS)
def test_a_tensor_of_zeros_gets_a_scale_that_can_be_divided_by(observer):
    assert amax_of(seen(np.zeros(10)), observer) == 1.0


def test_a_value_that_is_no_number_is_refused():
    with pytest.raises(ModelError, match="features becomes NaN or infinite"):
        Magnitudes("features").see(np.array([1.0, np.nan], np.float32))


def test_a_tensor_that_is_mostly_zero_keeps_what_is_not():
    assert amax_of(seen(np.zeros(1_000_000), np.linspace(1, 3, 50)), "percentile") == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_numbers_too_small_to_be_told_apart_count_as_zero(observer):
    assert amax_of(seen(np.array([1e-40, -2e-40])), observer) == 1.0


def test_a_histogram_has_the_bins_it_says():
    assert len(seen(gaussian()).counts) == N_BINS
