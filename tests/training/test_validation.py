import numpy as np
import pytest
import torch

from training.clip_pairs import ClipPair
from training.validation import Validation, frame_gain_db


class AddsFive(torch.nn.Module):
    """Enhances by five levels."""

    radius = 1

    def __init__(self):
        super().__init__()
        self.five = torch.nn.Parameter(torch.tensor(5 / 255))

    def forward(self, window):
        assert window.shape[1] == 3
        return window[:, 1:2] + self.five


def pair(qp, error):
    pristine = np.full((6, 16, 16), 100, np.uint8)
    return ClipPair("a", qp, pristine, pristine - np.uint8(error))


def test_the_gain_is_that_of_the_rounded_frame():
    assert frame_gain_db(AddsFive(), pair(37, 10), 0) == pytest.approx(20 * np.log10(10 / 5), abs=1e-3)
    assert frame_gain_db(AddsFive(), pair(37, 5), 0) == 0.0  # nothing is left: infinite, not counted


def test_gains_are_means_for_each_qp():
    gains = Validation([pair(42, 10), pair(22, 1), pair(42, 20)]).gains(AddsFive())
    assert list(gains) == [22, 42]
    assert gains[22] == pytest.approx(-20 * np.log10(4), abs=1e-3)
    assert gains[42] == pytest.approx(10 * (np.log10(10 / 5) + np.log10(20 / 15)) * 1, abs=1e-3)


class SeesGuide(torch.nn.Module):
    """Returns its guided map."""

    radius = 1
    takes_guide = True

    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, window, guide):
        return guide + self.nothing


def test_a_guided_network_is_given_its_map():
    decoded = np.full((6, 16, 16), 90, np.uint8)
    decoded[:, ::2] = 100  # every unit's mean is 95
    clip = ClipPair("a", 37, np.full_like(decoded, 95), decoded, np.full((6, 4, 4), 3, np.uint8))
    assert frame_gain_db(SeesGuide(), clip, 0) == 0.0  # nothing is left: infinite, not counted
    clip = ClipPair("a", 37, np.full_like(decoded, 96), decoded, np.full((6, 4, 4), 3, np.uint8))
    assert frame_gain_db(SeesGuide(), clip, 0) == pytest.approx(10 * np.log10((6**2 + 4**2) / 2), abs=1e-3)
