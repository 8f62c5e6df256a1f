"""Quality of one frame's luma: PSNR with a ceiling, and SSIM."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cvqe.metrics import psnr_db, ssim
from runtime.meter import FLAT_DB


@dataclass(frozen=True)
class FrameQuality:
    """How near one frame is to its pristine original; SSIM in [-1, 1]."""

    psnr_db: float
    ssim: float


def frame_quality(pristine: NDArray[Any], shown: NDArray[Any], peak: float) -> FrameQuality:
    """Measure one luma plane [H, W] in levels of 0..peak, in floating point.

    PSNR ends at FLAT_DB (100 dB): a frame that equals its original has an infinite one, and would make the mean over
    frames infinite too. At 8 bit, only frames of more than 154 kpx can reach it otherwise, by one wrong level in all.
    """
    return FrameQuality(min(psnr_db(pristine, shown, peak), FLAT_DB), ssim(pristine, shown, peak))
