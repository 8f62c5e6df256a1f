"""PSNR and SSIM against FFmpeg's own filters and closed forms."""

from fractions import Fraction

import av
import numpy as np
import pytest

from cvqe.metrics import psnr_db, ssim


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


def test_ssim_is_the_mean_over_windows_of_its_definition():
    clean, noisy = planes(size=(15, 19))
    assert ssim(clean, noisy) == pytest.approx(slow_ssim(clean, noisy, 255.0), abs=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (6, 9)])
def test_small_and_flat_planes_have_an_ssim(size):
    flat = np.full(size, 17, np.uint8)
    assert ssim(flat, flat) == pytest.approx(1.0)
    assert np.isfinite(ssim(flat, flat + 3))
