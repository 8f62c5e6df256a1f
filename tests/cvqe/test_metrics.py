"""PSNR and SSIM against FFmpeg's own filters and closed forms."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqe.errors import ShapeError
from cvqe.metrics import STRIP_ROWS, psnr_db, ssim


def planes(seed: int = 0, size: tuple[int, int] = (48, 64)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    clean = random.integers(30, 220, size, dtype=np.uint8)
    return clean, (clean + random.integers(-9, 10, size)).astype(np.uint8)


def ffmpeg_psnr_y(reference: np.ndarray, distorted: np.ndarray) -> float:
    graph = av.filter.Graph()
    height, width = reference.shape
    sources = [graph.add_buffer(width=width, height=height, format="gray", time_base=Fraction(1, 25)) for _ in "ab"]
    compare, sink = graph.add("psnr"), graph.add("buffersink")
    sources[0].link_to(compare, 0, 0)
    sources[1].link_to(compare, 0, 1)
    compare.link_to(sink)
    graph.configure()
    for source, plane in zip(sources, (distorted, reference), strict=True):
        frame = av.VideoFrame.from_ndarray(plane, format="gray")
        frame.pts = 0
        source.push(frame)
    return float(sink.pull().metadata["lavfi.psnr.psnr.y"])


def test_psnr_is_ffmpegs():
    assert psnr_db(*planes()) == pytest.approx(ffmpeg_psnr_y(*planes()), abs=0.01)  # it prints two decimals


def test_psnr_of_one_level_everywhere_is_the_closed_form():
    flat = np.full((8, 8), 100, np.uint8)
    assert psnr_db(flat, flat + 1) == pytest.approx(20 * np.log10(255))
    assert psnr_db(flat, flat) == float("inf")
    assert psnr_db(flat.astype(np.uint16), flat + np.uint16(4), peak=1023) == pytest.approx(20 * np.log10(1023 / 4))


def slow_ssim(x: np.ndarray, y: np.ndarray, peak: float) -> float:
    values = []
    for top in range(x.shape[0] - 6):
        for left in range(x.shape[1] - 6):
            a, b = (plane[top : top + 7, left : left + 7].astype(float).ravel() for plane in (x, y))
            covariance = np.cov(a, b)
            c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
            top_half = (2 * a.mean() * b.mean() + c1) * (2 * covariance[0, 1] + c2)
            values.append(top_half / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (np.trace(covariance) + c2)))
    return float(np.mean(values))


@pytest.mark.parametrize("size", [(15, 19), (STRIP_ROWS + 6, 8), (2 * STRIP_ROWS + 9, 7)])
def test_ssim_is_the_mean_over_windows_of_its_definition(size):
    clean, noisy = planes(size=size)
    assert ssim(clean, noisy) == pytest.approx(slow_ssim(clean, noisy, 255.0), abs=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (6, 9)])
def test_small_and_flat_planes_have_an_ssim(size):
    flat = np.full(size, 17, np.uint8)
    assert ssim(flat, flat) == pytest.approx(1.0)
    assert np.isfinite(ssim(flat, flat + 3))


def integral_image_ssim(x: np.ndarray, y: np.ndarray, peak: float) -> float:
    """The same sums from integral images of the whole plane: of integers they are exact, so nothing may differ."""

    def mean(plane: np.ndarray) -> np.ndarray:
        sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        return (sums[7:, 7:] - sums[:-7, 7:] - sums[7:, :-7] + sums[:-7, :-7]) / 49

    x, y = x.astype(float), y.astype(float)
    mean_x, mean_y = mean(x), mean(y)
    var_x, var_y = (49 / 48 * (mean(plane * plane) - average**2) for plane, average in ((x, mean_x), (y, mean_y)))
    cov = 49 / 48 * (mean(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(similarity.mean())


@given(
    st.integers(7, 90), st.integers(7, 30), st.sampled_from([(np.uint8, 255), (np.uint16, 1023), (np.uint16, 65535)])
)
def test_ssim_of_integers_is_exact_to_the_last_bit(height, width, kind):
    dtype, peak = kind
    random = np.random.default_rng(height * width)
    x, y = (random.integers(0, peak + 1, (height, width), dtype) for _ in "xy")
    assert ssim(x, y, peak) == integral_image_ssim(x, y, peak)
    assert ssim(x, y, peak) == pytest.approx(ssim(y, x, peak), abs=1e-12)
    assert ssim(x, x, peak) == pytest.approx(1, abs=1e-12)


def test_planes_of_two_sizes_have_no_ssim():
    with pytest.raises(ShapeError, match=r"\(8, 9\) and \(8, 8\)"):
        ssim(np.zeros((8, 9)), np.zeros((8, 8)))
