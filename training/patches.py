"""Random training windows: seven decoded frames and the pristine target, cut from clips in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from training.luma_clips import Luma, load_luma


@dataclass(frozen=True)
class ClipPair:
    """One clip before and after coding, each [T, H, W] uint8."""

    name: str
    qp: int
    pristine: Luma
    decoded: Luma

    @property
    def n_pixels(self) -> int:
        """Pixels in all frames: how often the clip is drawn goes by it."""
        return int(self.pristine.size)


def load_pairs(pristine: Path, coded: Path, configuration: str, qps: Sequence[int]) -> list[ClipPair]:
    """Read every clip of a folder with its coded versions.

    Raises:
        InputError: a coded version is missing, or its size or length is not that of the pristine clip.
    """
    pairs = []
    for source in sorted(pristine.glob("*.mkv")):
        luma = load_luma(source)
        for qp in qps:
            version = coded / f"{configuration}_qp{qp}" / source.name
            if not version.exists():
                raise InputError(f"{version} is missing. Make it:  python training/compress.py {pristine} --qp {qp}")
            decoded = load_luma(version)
            if decoded.shape != luma.shape:
                raise InputError(
                    f"{version} is {decoded.shape} (T, H, W), the pristine clip {luma.shape}; make it again."
                )
            pairs.append(ClipPair(source.stem, qp, luma, decoded))
    if not pairs:
        raise InputError(f"{pristine} holds no .mkv clip to train on.")
    return pairs


class PatchSampler:
    """Draw batches of windows; the same seed draws the same batches."""

    def __init__(self, pairs: list[ClipPair], radius: int, patch_px: int, weight_of_qp: dict[int, float], seed: int):
        self.pairs, self.radius, self.patch_px = pairs, radius, patch_px
        weights = np.array([pair.n_pixels * weight_of_qp.get(pair.qp, 1.0) for pair in pairs], np.float64)
        self.probabilities = weights / weights.sum()
        self.random = np.random.default_rng(seed)

    def batch(self, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return windows [N, 2R+1, P, P] and pristine targets [N, 1, P, P], both uint8."""
        drawn = [self.draw() for _ in range(size)]
        return np.stack([window for window, _ in drawn]), np.stack([target for _, target in drawn])

    def draw(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Cut one window anywhere in space and time, in one of the eight orientations."""
        pair = self.pairs[self.random.choice(len(self.pairs), p=self.probabilities)]
        n_frames, height, width = pair.pristine.shape
        t = int(self.random.integers(n_frames))
        y = int(self.random.integers(height - self.patch_px + 1))
        x = int(self.random.integers(width - self.patch_px + 1))
        frames = np.clip(np.arange(t - self.radius, t + self.radius + 1), 0, n_frames - 1)
        area = (slice(y, y + self.patch_px), slice(x, x + self.patch_px))
        window, target = pair.decoded[(frames, *area)], pair.pristine[(slice(t, t + 1), *area)]
        return self.orient(window, target)

    def orient(
        self, window: NDArray[np.uint8], target: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Flip and turn both alike; time is never reversed, a low-delay coder looks back only."""
        turns, is_flipped = int(self.random.integers(4)), bool(self.random.integers(2))
        pair = [np.rot90(part, turns, axes=(1, 2)) for part in (window, target)]
        if is_flipped:
            pair = [part[:, :, ::-1] for part in pair]
        return pair[0], pair[1]
