"""Random training windows: decoded frames and the same ones before coding, cut from clips in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from training.batches import Batch
from training.clip_pairs import ClipPair

Luma = NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """Where a patch lies in a clip, and how it is turned."""

    pair: ClipPair
    t: int
    y: int
    x: int
    turns: int
    is_flipped: bool


class PatchSource:
    """Batches of windows from anywhere in the clips; a clip is drawn as often as it has pixels."""

    def __init__(
        self, pairs: list[ClipPair], radius: int, patch_px: int, weight_of_qp: Mapping[str, float], seed: int
    ) -> None:
        """Take clips in memory or memory-mapped.

        Raises:
            InputError: a clip is smaller than a patch.
        """
        for pair in pairs:
            if min(pair.pristine.shape[1:]) < patch_px:
                _, height, width = pair.pristine.shape
                raise InputError(
                    f"{pair.name} is {width}x{height}, smaller than a patch of {patch_px} px. "
                    f'Leave it out (data.exclude = ["{pair.name}"]) or learn from smaller patches (data.patch_px).'
                )
        self.pairs, self.radius, self.patch_px, self.seed = pairs, radius, patch_px, seed
        weights = np.array([pair.pristine.size * weight_of_qp.get(str(pair.qp), 1.0) for pair in pairs], np.float64)
        self.probabilities = weights / weights.sum()

    def batch(self, step: int, rank: int, size: int) -> Batch:
        """Draw windows [N, 2R+1, P, P], decoded and pristine; each step's draws depend on (seed, rank, step) alone."""
        random = np.random.default_rng((self.seed, rank, step))
        places = [self._place(random) for _ in range(size)]
        cut = [self._cut(place) for place in places]
        return Batch(
            window=np.stack([decoded for decoded, _ in cut]),
            pristine=np.stack([pristine for _, pristine in cut]),
            frame_mse=np.array([place.pair.frame_mse[place.t] for place in places], np.float32),
            qp=np.array([place.pair.qp for place in places], np.float32),
        )

    def _place(self, random: np.random.Generator) -> Place:
        pair = self.pairs[random.choice(len(self.pairs), p=self.probabilities)]
        n_frames, height, width = pair.pristine.shape
        return Place(
            pair,
            t=int(random.integers(n_frames)),
            y=int(random.integers(height - self.patch_px + 1)),
            x=int(random.integers(width - self.patch_px + 1)),
            turns=int(random.integers(4)),
            is_flipped=bool(random.integers(2)),
        )

    def _cut(self, place: Place) -> tuple[Luma, ...]:
        frames = window_frames(place.t, self.radius, len(place.pair.pristine))
        area = (slice(place.y, place.y + self.patch_px), slice(place.x, place.x + self.patch_px))
        return tuple(orient(clip[(frames, *area)], place) for clip in (place.pair.decoded, place.pair.pristine))


def window_frames(t: int, radius: int, n_frames: int) -> NDArray[np.intp]:
    """Return the frame numbers around t, [2R+1]; before the first and after the last, time stands still."""
    return np.clip(np.arange(t - radius, t + radius + 1), 0, n_frames - 1)


def orient(frames: Luma, place: Place) -> Luma:
    """Turn and flip [T, P, P]; time is never reversed, a low-delay coder looks back only."""
    turned = np.rot90(frames, place.turns, axes=(1, 2))
    return turned[:, :, ::-1] if place.is_flipped else turned
