"""PVD and SD against curves worked out by hand, and what must not change them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.stability import extrema, pvd_db, sd_db

CURVES = st.lists(st.integers(20, 45).map(float), min_size=1, max_size=30)


def test_pvd_is_the_mean_height_of_peaks_above_their_nearest_valley():
    # peaks 3, 5, 4 at frames 1, 3, 5; valleys 2, 1 at frames 2, 4; the middle peak is as near to one as to the other
    assert pvd_db([1.0, 3.0, 2.0, 5.0, 1.0, 4.0, 0.0]) == pytest.approx(((3 - 2) + (5 - (2 + 1) / 2) + (4 - 1)) / 3)


def test_hms_pattern_of_four_frames_is_measured_from_its_best_frame_to_the_one_beside_it():
    # every fourth frame is coded finer; of 30.5, 30, 30.5 the valley is two frames away on both sides
    assert pvd_db([32.0, 30.5, 30.0, 30.5] * 4 + [32.0]) == pytest.approx(2.0)


def test_a_level_stretch_is_one_peak_at_its_middle():
    assert extrema([0.0, 7.0, 7.0, 7.0, 1.0, 2.0, 2.0, 0.0]) == [(2.0, 7.0), (5.5, 2.0)]


@pytest.mark.parametrize(
    "curve", [[30.0], [30.0] * 9, [1.0, 2.0, 3.0], [1.0, 3.0, 1.0], [3.0, 1.0, 3.0], [100.0, 100.0, 30.0]]
)
def test_fewer_than_two_peaks_have_no_pvd(curve):
    assert pvd_db(curve) is None


def test_sd_is_over_all_frames():
    assert sd_db([1.0, 3.0]) == 1.0  # the sample's would be 1.41
    assert sd_db([30.0]) == 0.0


@given(CURVES, st.integers(-10, 10), st.integers(1, 5))
def test_a_clip_shown_backwards_a_shift_and_a_scale_change_them_as_they_should(curve, shift, scale):
    changed = [scale * value + shift for value in reversed(curve)]
    assert sd_db(changed) == pytest.approx(scale * sd_db(curve))
    if pvd_db(curve) is None:
        assert pvd_db(changed) is None
    else:
        assert pvd_db(changed) == pytest.approx(scale * pvd_db(curve))
        assert 0 < pvd_db(curve) <= max(curve) - min(curve)
