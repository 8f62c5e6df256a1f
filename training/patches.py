"""Random training windows: decoded frames and the same ones before coding, cut from clips in memory."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.neighbors import ADJACENT, Distances, offsets
from training.batches import Batch
from training.clip_pairs import ClipPair, distances_of
from training.guides import Guides
from training.recipe import DataRecipe

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
    frame_mse: NDArray[np.float32]
    qp: int
    guide: NDArray[np.float32] | None


class PatchSource:
    """Batches of windows from anywhere in the clips; a clip is drawn as often as it has pixels."""

    def __init__(
        self,
        pairs: list[ClipPair],
        radius: int,
        data: DataRecipe,
        seed: int,
        guides: Guides | None = None,
    ) -> None:
        """Take clips in memory or memory-mapped; `guides` makes guided maps for a network that takes them.

        Raises:
            InputError: a clip is smaller than a patch.
        """
        for pair in pairs:
            if min(pair.pristine.shape[1:]) < data.patch_px:
                _, height, width = pair.pristine.shape
                raise InputError(
                    f"{pair.name} is {width}x{height}, smaller than a patch of {data.patch_px} px. "
                    f'Leave it out (data.exclude = ["{pair.name}"]) or learn from smaller patches (data.patch_px).'
                )
        self.pairs, self.radius, self.data, self.seed, self.guides = pairs, radius, data, seed, guides
        weights = np.array(
            [pair.pristine.size * data.weight_of_qp.get(str(pair.qp), 1.0) for pair in pairs], np.float64
        )
        self.probabilities = weights / weights.sum()

    def batch(self, step: int, rank: int, size: int) -> Batch:
        """Draw windows with so many targets, decoded and pristine; a step's depend on (seed, rank, step) alone."""
        random = np.random.default_rng((self.seed, rank, step))
        drawn = [self._draw(random) for _ in range(size // self.data.consecutive)]
        return Batch(
            window=np.stack([window.decoded for window in drawn]),
            pristine=np.stack([window.pristine for window in drawn]),
            frame_mse=np.concatenate([window.frame_mse for window in drawn]),
            qp=np.array([window.qp for window in drawn], np.float32),
            guide=np.stack([window.guide for window in drawn if window.guide is not None]) if self.guides else None,
        )

    def facts(self) -> str:
        """Return a digest of the clips' names, QPs, sizes and coding errors."""
        words: list[object] = [
            (pair.name, pair.qp, pair.pristine.shape, pair.frame_mse.tolist()) for pair in self.pairs
        ]
        neighbors, consecutive = self.data.neighbors, self.data.consecutive
        if self.guides or neighbors != ADJACENT:
            words.append((neighbors, self.guides))
        if consecutive > 1:
            words.append(consecutive)
        return hashlib.sha256(repr(words).encode()).hexdigest()

    def _draw(self, random: np.random.Generator) -> Drawn:
        pair = self.pairs[random.choice(len(self.pairs), p=self.probabilities)]
        n_frames, height, width = pair.pristine.shape
        patch_px, n_targets = self.data.patch_px, self.data.consecutive
        t = int(random.integers(max(n_frames - n_targets + 1, 1)))
        frames = window_frames(t, self.radius, n_frames, distances_of(pair, t, self.data.neighbors), n_targets)
        view = View.draw(random, height - patch_px, width - patch_px)
        decoded, pristine = (view.of(clip, patch_px)[frames] for clip in (pair.decoded, pair.pristine))
        guide = None
        if self.guides:
            # numbers of its own: networks with and without a guide are shown the same windows
            own_random = random.spawn(1)[0]
            guide = view.of(self.guides.draw(pair, t, own_random)[None], patch_px)
        targets = frames[self.radius : self.radius + n_targets]
        return Drawn(decoded, pristine, pair.frame_mse[targets], pair.qp, guide)


def window_frames(
    t: int, radius: int, n_frames: int, apart: Distances = (1, 1), n_targets: int = 1
) -> NDArray[np.intp]:
    """Return the frame numbers around t and the targets behind it, [2R+C]; beyond the clip's ends time stands still."""
    around = [*offsets(radius, apart), *range(radius + 1, radius + n_targets)]
    frames: NDArray[np.intp] = np.clip(t + np.array(around), 0, n_frames - 1)
    return frames
