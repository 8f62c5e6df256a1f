"""Picture quality on one luma plane: PSNR, SSIM."""

import numpy as np
from numpy.typing import NDArray

SSIM_WINDOW = 7  # uniform window of the field's SSIM tables (scikit-image's default)
SSIM_K1, SSIM_K2 = 0.01, 0.03  # Wang et al., IEEE TIP 2004


def psnr_db(reference: NDArray[np.generic], distorted: NDArray[np.generic], peak: float = 255.0) -> float:
    """Return 10 log10(peak^2 / mean squared error) in dB; infinite for equal planes."""
    difference = reference.astype(np.float32) - distorted.astype(np.float32)
    mse = float(np.mean(np.square(difference, dtype=np.float32), dtype=np.float64))
    return float("inf") if mse == 0 else float(10 * np.log10(peak**2 / mse))


def ssim(reference: NDArray[np.generic], distorted: NDArray[np.generic], peak: float = 255.0) -> float:
    """Return the mean structural similarity over every whole 7x7 window, in [-1, 1].

    Uniform window and sample covariance, as the quality-enhancement papers measure it
    (Wang et al., IEEE TIP 2004, eq. 13). Planes smaller than the window are measured as one window.
    """
    x, y = reference.astype(np.float64), distorted.astype(np.float64)
    window = (min(SSIM_WINDOW, x.shape[0]), min(SSIM_WINDOW, x.shape[1]))
    n = window[0] * window[1]
    mean_x, mean_y = _window_mean(x, window), _window_mean(y, window)
    unbiased = n / max(n - 1, 1)
    var_x = unbiased * (_window_mean(x * x, window) - mean_x**2)
    var_y = unbiased * (_window_mean(y * y, window) - mean_y**2)
    cov = unbiased * (_window_mean(x * y, window) - mean_x * mean_y)
    c1, c2 = (SSIM_K1 * peak) ** 2, (SSIM_K2 * peak) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(similarity.mean())


def _window_mean(plane: NDArray[np.float64], window: tuple[int, int]) -> NDArray[np.float64]:
    """Average over every whole window by an integral image, [H - h + 1, W - w + 1]."""
    h, w = window
    integral = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    total = integral[h:, w:] - integral[:-h, w:] - integral[h:, :-w] + integral[:-h, :-w]
    mean: NDArray[np.float64] = total / (h * w)
    return mean
