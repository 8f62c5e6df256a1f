"""Guided maps of random training frames: mostly by transform units, now and then by the fixed grid of the fallback.

A network that has never seen the fixed grid would meet it first at a user's: in H.264, or a damaged picture.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.fixed_grid import fixed_grid_map
from training.clip_pairs import ClipPair, partition_of


@dataclass(frozen=True)
class Guides:
    """Makes the guided map of a clip's frame.

    Attributes:
        fixed_grid_share: of the frames drawn, those that get the fixed grid.
    """

    fixed_grid_share: float = 0.0

    def draw(self, pair: ClipPair, t: int, random: np.random.Generator) -> NDArray[np.float32]:
        """Return the map of frame t, float32 [H, W] in levels."""
        if random.random() < self.fixed_grid_share:
            return fixed_grid_map(pair.decoded[t])
        return transform_guide(pair, t)


def transform_guide(pair: ClipPair, t: int) -> NDArray[np.float32]:
    """Return the map of frame t by its transform units, float32 [H, W] in levels."""
    from runtime.hevc.guided_map import guided_map  # Numba: networks without a guide are trained without it

    return guided_map(pair.decoded[t], partition_of(pair, t))
