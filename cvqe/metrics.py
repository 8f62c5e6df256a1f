"""Picture quality on one luma plane: PSNR, SSIM."""

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import ShapeError

Summable = NDArray[np.int32] | NDArray[np.float64]

SSIM_WINDOW = 7  # uniform window of the field's SSIM tables (scikit-image's default)
SSIM_K1, SSIM_K2 = 0.01, 0.03  # Wang et al., IEEE TIP 2004
STRIP_ROWS = 32  # rows of windows measured at once: what is made of them on the way stays in the cache


def psnr_db(reference: NDArray[np.generic], distorted: NDArray[np.generic], peak: float = 255.0) -> float:
    """Return 10 log10(peak^2 / mean squared error) in dB; infinite for equal planes."""
    difference = reference.astype(np.float32) - distorted.astype(np.float32)
    mse = float(np.mean(np.square(difference, dtype=np.float32), dtype=np.float64))
    return float("inf") if mse == 0 else float(10 * np.log10(peak**2 / mse))


def ssim(reference: NDArray[np.generic], distorted: NDArray[np.generic], peak: float = 255.0) -> float:
    """Return the mean structural similarity over every whole 7x7 window, in [-1, 1].

    Uniform window and sample covariance, as the quality-enhancement papers measure it
    (Wang et al., IEEE TIP 2004, eq. 13). Planes smaller than the window are measured as one window.

    Raises:
        ShapeError: the planes differ in size.
    """
    if reference.shape != distorted.shape:
        raise ShapeError(f"the planes to compare are {reference.shape} and {distorted.shape}; one size was expected.")
    height, width = reference.shape
    window = (min(SSIM_WINDOW, height), min(SSIM_WINDOW, width))
    n_rows = height - window[0] + 1
    similarity = np.empty((n_rows, width - window[1] + 1))
    for top in range(0, n_rows, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, n_rows)
        rows = slice(top, bottom + window[0] - 1)
        similarity[top:bottom] = _similarity(_exact(reference[rows]), _exact(distorted[rows]), window, peak)
    return float(similarity.mean())


def _exact(plane: NDArray[np.generic]) -> Summable:
    """Return the plane in a type that holds the sum of squares of a window, of integers exactly."""
    return plane.astype(np.int32) if plane.dtype == np.uint8 else plane.astype(np.float64)


def _similarity(x: Summable, y: Summable, window: tuple[int, int], peak: float) -> NDArray[np.float64]:
    """Return every whole window's similarity, [H - h + 1, W - w + 1].

    (2 mx my + c1) (2 cov + c2) / ((mx^2 + my^2 + c1) (vx + vy + c2)), in place where that saves a pass over memory.
    """
    n = window[0] * window[1]
    unbiased = n / max(n - 1, 1)
    c1, c2 = (SSIM_K1 * peak) ** 2, (SSIM_K2 * peak) ** 2
    mean_x, mean_y = _window_mean(x, window), _window_mean(y, window)
    means, square_x, square_y = mean_x * mean_y, mean_x**2, mean_y**2
    covariance = _window_mean(x * y, window)
    covariance -= means
    covariance *= unbiased
    spread = _variance(x, square_x, window, unbiased)
    spread += _variance(y, square_y, window, unbiased)
    return (2 * means + c1) * (2 * covariance + c2) / ((square_x + square_y + c1) * (spread + c2))


def _variance(
    x: Summable, squared_mean: NDArray[np.float64], window: tuple[int, int], unbiased: float
) -> NDArray[np.float64]:
    variance = _window_mean(x * x, window)
    variance -= squared_mean
    variance *= unbiased
    return variance


def _window_mean(plane: Summable, window: tuple[int, int]) -> NDArray[np.float64]:
    """Average over every whole window, [H - h + 1, W - w + 1]: sums down the columns, then along the rows."""
    height, width = (side - length + 1 for side, length in zip(plane.shape, window, strict=True))
    columns = plane[:height].copy()
    for shift in range(1, window[0]):
        columns += plane[shift : shift + height]
    total = columns[:, :width].copy()
    for shift in range(1, window[1]):
        total += columns[:, shift : shift + width]
    mean: NDArray[np.float64] = total / (window[0] * window[1])
    return mean
