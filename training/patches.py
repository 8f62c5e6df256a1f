"""Random training windows: decoded frames and the same ones before coding, cut from clips in memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.neighbors import ADJACENT, spacing
from training.batches import Batch
from training.clip_pairs import ClipPair
from training.guides import Guides

Luma = NDArray[np.uint8]
Plane = TypeVar("Plane", bound=np.generic)


@dataclass(frozen=True)
class View:
    """Where a patch lies in a picture, and how it is turned; time is never reversed: a low-delay coder looks back."""

    y: int
    x: int
    turns: int
    is_flipped: bool

    @classmethod
    def draw(cls, random: np.random.Generator, room_y: int, room_x: int) -> "View":
        """Draw one of all places that leave this many pixels free, in one of eight orientations."""
        y, x = (int(random.integers(room + 1)) for room in (room_y, room_x))
        return cls(y, x, turns=int(random.integers(4)), is_flipped=bool(random.integers(2)))

    def of(self, frames: NDArray[Plane], patch_px: int) -> NDArray[Plane]:
        """Cut and turn frames [T, H, W] to [T, P, P]."""
        patch = frames[:, self.y : self.y + patch_px, self.x : self.x + patch_px]
        turned = np.rot90(patch, self.turns, axes=(1, 2))
        return turned[:, :, ::-1] if self.is_flipped else turned


class Drawn(NamedTuple):
    """One window."""

    decoded: Luma
    pristine: Luma
    frame_mse: float
    qp: int
    guide: NDArray[np.float32] | None


class PatchSource:
    """Batches of windows from anywhere in the clips; a clip is drawn as often as it has pixels."""

    def __init__(
        self,
        pairs: list[ClipPair],
        radius: int,
        patch_px: int,
        weight_of_qp: Mapping[str, float],
        seed: int,
        neighbors: str = ADJACENT,
        guides: Guides | None = None,
    ) -> None:
        """Take clips in memory or memory-mapped; `guides` makes guided maps for a network that takes them.

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
        self.neighbors, self.guides = neighbors, guides
        weights = np.array([pair.pristine.size * weight_of_qp.get(str(pair.qp), 1.0) for pair in pairs], np.float64)
        self.probabilities = weights / weights.sum()

    def batch(self, step: int, rank: int, size: int) -> Batch:
        """Draw windows [N, 2R+1, P, P], decoded and pristine; each step's draws depend on (seed, rank, step) alone."""
        random = np.random.default_rng((self.seed, rank, step))
        drawn = [self._draw(random) for _ in range(size)]
        return Batch(
            window=np.stack([window.decoded for window in drawn]),
            pristine=np.stack([window.pristine for window in drawn]),
            frame_mse=np.array([window.frame_mse for window in drawn], np.float32),
            qp=np.array([window.qp for window in drawn], np.float32),
            guide=np.stack([window.guide for window in drawn if window.guide is not None]) if self.guides else None,
        )

    def facts(self) -> str:
        """Return a digest of the clips' names, QPs, sizes and coding errors."""
        words: list[object] = [
            (pair.name, pair.qp, pair.pristine.shape, pair.frame_mse.tolist()) for pair in self.pairs
        ]
        if self.guides or self.neighbors != ADJACENT:
            words.append((self.neighbors, self.guides))
        return hashlib.sha256(repr(words).encode()).hexdigest()

    def _draw(self, random: np.random.Generator) -> Drawn:
        pair = self.pairs[random.choice(len(self.pairs), p=self.probabilities)]
        n_frames, height, width = pair.pristine.shape
        t = int(random.integers(n_frames))
        frames = window_frames(t, self.radius, n_frames, spacing(self.neighbors, t))
        view = View.draw(random, height - self.patch_px, width - self.patch_px)
        decoded, pristine = (view.of(clip, self.patch_px)[frames] for clip in (pair.decoded, pair.pristine))
        guide = None
        if self.guides:
            # numbers of its own: networks with and without a guide are shown the same windows
            own_random = random.spawn(1)[0]
            guide = view.of(self.guides.draw(pair, t, own_random)[None], self.patch_px)
        return Drawn(decoded, pristine, float(pair.frame_mse[t]), pair.qp, guide)


def window_frames(t: int, radius: int, n_frames: int, spacing: int = 1) -> NDArray[np.intp]:
    """Return the frame numbers around t, [2R+1]; before the first and after the last, time stands still."""
    return np.clip(t + spacing * np.arange(-radius, radius + 1), 0, n_frames - 1)
