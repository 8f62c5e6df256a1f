"""Made-up scenes: a camera moves over a landscape, and cuts to another one."""

from collections.abc import Sequence

import av
import numpy as np

from tests.media import Draw

SIZE = (90, 160)
WORLD = (200, 400)


def world(seed: int) -> np.ndarray:
    """Return a landscape of soft blobs, float [H, W] from 16 to 235, larger than a frame."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(16, 235, (WORLD[0] // 20, WORLD[1] // 20))
    rows, columns = (np.linspace(0, n - 1.001, length) for n, length in zip(coarse.shape, WORLD, strict=True))
    top, left = rows.astype(int)[:, None], columns.astype(int)[None]
    down, right = rows[:, None] - top, columns[None] - left
    upper = coarse[top, left] * (1 - right) + coarse[top, left + 1] * right
    lower = coarse[top + 1, left] * (1 - right) + coarse[top + 1, left + 1] * right
    landscape: np.ndarray = upper * (1 - down) + lower * down
    return landscape


def scene(seed: int, n_frames: int, pan_px: int = 2) -> list[np.ndarray]:
    """Return frames of a camera that moves over a landscape, with some noise."""
    random, whole = np.random.default_rng(100 + seed), world(seed)
    views = [whole[20 : 20 + SIZE[0], pan_px * t : pan_px * t + SIZE[1]] for t in range(n_frames)]
    return [view + random.normal(0, 2, SIZE) for view in views]


def draw_scenes(lengths: Sequence[int]) -> Draw:
    """Return what draws the frames of scenes that follow each other, for make_video."""
    views = [view for seed, length in enumerate(lengths, 1) for view in scene(seed, length)]

    def draw(number: int, size: tuple[int, int], pix_fmt: str) -> av.VideoFrame:
        width, height = size
        luma = views[number][:height, :width].astype(np.uint8)
        return av.VideoFrame.from_ndarray(np.repeat(luma[..., None], 3, 2), "rgb24").reformat(format=pix_fmt)

    return draw
