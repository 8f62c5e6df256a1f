"""A picture of another size is the same one again and again, or a part of it."""

import numpy as np

from calibration.sized import sized
from tests.quantised import noisy_sample

SAMPLE = noisy_sample("still", size=(20, 30))


def test_pictures_are_repeated_or_cut():
    larger, smaller = sized(SAMPLE, (45, 31)), sized(SAMPLE, (7, 8))
    assert larger.window.shape == (7, 45, 31) and larger.pristine.shape == (45, 31)
    np.testing.assert_array_equal(larger.window[:, 20:40, :30], SAMPLE.window)
    np.testing.assert_array_equal(smaller.window, SAMPLE.window[:, :7, :8])
