"""One frame's PSNR and SSIM where they are extreme."""

import numpy as np
import pytest

from training.evaluation.frame_quality import frame_quality


def test_equal_and_flat_frames_have_finite_numbers():
    flat = np.full((16, 16), 80, np.uint8)
    same = frame_quality(flat, flat, 255.0)
    assert (same.psnr_db, same.ssim) == (100.0, 1.0)
    assert frame_quality(flat, flat + 1, 255.0).psnr_db == pytest.approx(48.1308, abs=1e-4)


def test_one_wrong_level_in_a_large_frame_is_not_better_than_an_equal_one():
    pristine = np.full((720, 1280), 80, np.uint8)
    shown = pristine.copy()
    shown[3, 5] += 1  # 107.8 dB
    assert frame_quality(pristine, shown, 255.0).psnr_db == 100.0


def test_deep_frames_are_measured_against_their_own_peak():
    pristine = np.full((8, 8), 500, np.uint16)
    assert frame_quality(pristine, pristine + 4, 1023.0).psnr_db == pytest.approx(20 * np.log10(1023 / 4))
