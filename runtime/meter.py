"""Gain over the decoded input against a pristine reference, frame by frame, on luma."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.frame import Frame
from cvqe.metrics import psnr_db, ssim
from runtime.decoder import open_source

Plane = NDArray[np.uint8]
FLAT_DB = 100.0  # stands for the infinite PSNR of equal planes, so that a mean over frames stays a number


@dataclass
class Gains:
    """Mean quality before and after, over frames measured one by one: the papers' convention."""

    before_db: list[float] = field(default_factory=list)
    after_db: list[float] = field(default_factory=list)
    before_ssim: list[float] = field(default_factory=list)
    after_ssim: list[float] = field(default_factory=list)

    @property
    def delta_psnr_db(self) -> float:
        """Mean gain in dB; 0 while nothing was measured."""
        return _mean(self.after_db) - _mean(self.before_db)

    @property
    def delta_ssim(self) -> float:
        """Mean gain in SSIM."""
        return _mean(self.after_ssim) - _mean(self.before_ssim)

    def as_dict(self) -> dict[str, Any]:
        """Return the means, rounded for a report."""
        return {
            "frames": len(self.before_db),
            "psnr_db": round(_mean(self.before_db), 4),
            "delta_psnr_db": round(self.delta_psnr_db, 4),
            "ssim": round(_mean(self.before_ssim), 6),
            "delta_ssim": round(self.delta_ssim, 6),
        }


def _mean(values: list[float]) -> float:
    return fmean(values) if values else 0.0


class Meter:
    """Measures every frame once, in order; holds one reference frame at a time."""

    def __init__(self, reference: Path, width: int, height: int, bit_depth: int) -> None:
        """Open the reference.

        Raises:
            InputError: it has another size or depth than the video.
        """
        self._source = open_source(reference)
        info = self._source.info
        if (info.width, info.height, info.bit_depth) != (width, height, bit_depth):
            self._source.close()
            raise InputError(
                f"{reference} is {info.width}x{info.height} at {info.bit_depth} bit, the video {width}x{height} at "
                f"{bit_depth} bit; give the very original that was compressed."
            )
        self._path = reference
        self._frames = self._video_frames()
        self._peak = float(2**bit_depth - 1)
        self.gains = Gains()
        self.note: str | None = None

    def measure(self, decoded: Plane, enhanced: Plane) -> None:
        """Compare one frame before and after with the next frame of the reference; past its end, note that."""
        frame = next(self._frames, None)
        if frame is None:
            self.note = f"{self._path} ends after {len(self.gains.before_db)} frames; only those were measured"
            return
        pristine = levels(frame.luma)
        for plane, psnrs, ssims in (
            (levels(decoded), self.gains.before_db, self.gains.before_ssim),
            (levels(enhanced), self.gains.after_db, self.gains.after_ssim),
        ):
            psnrs.append(min(psnr_db(pristine, plane, self._peak), FLAT_DB))
            ssims.append(ssim(pristine, plane, self._peak))

    def skip(self) -> None:
        """Pass over one frame of the reference."""
        next(self._frames, None)

    def close(self) -> None:
        """Close the reference."""
        self._source.close()

    def _video_frames(self) -> Iterator[Frame]:
        return (item for item in self._source.items() if isinstance(item, Frame))


def levels(luma: Plane) -> NDArray[Any]:
    """Return luma as numbers [H, W]: byte pairs become uint16."""
    if luma.ndim == 2:
        return luma
    pairs: NDArray[np.uint16] = np.ascontiguousarray(luma).view("<u2")[..., 0]
    return pairs


def written_gains(reference: Path, source: Path, written: Path, limit: int | None) -> Gains:
    """Measure a finished file: its frames decoded back, against the input's, as far as all three go."""
    with open_source(source, limit=limit) as before, open_source(written) as after:
        info = before.info
        meter = Meter(reference, info.width, info.height, info.bit_depth)
        try:
            frames = ((item for item in each.items() if isinstance(item, Frame)) for each in (before, after))
            for decoded, enhanced in zip(*frames, strict=False):
                meter.measure(decoded.luma, enhanced.luma)
        finally:
            meter.close()
    return meter.gains
