"""Pristine clips and their coded versions, small and of known content: FFV1 holds both without loss."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.training.evaluation.examples import write_luma

N_CODING_LEVELS = 4  # how far a coded pixel is from the pristine one, at most


def write_clips(
    folder: Path, names: Sequence[str], qps: Sequence[int] = (37,), n_frames: int = 6, size: tuple[int, int] = (32, 48)
) -> tuple[Path, Path]:
    """Write clips that drift by 0, 1, ... pixels a frame; return the folders of pristine and coded ones."""
    clips, coded = folder / "clips", folder / "coded"
    for number, name in enumerate(names):
        random = np.random.default_rng(number)
        still = random.integers(60, 190, size, dtype=np.uint8)
        frames = [np.roll(still, number * t, axis=1) for t in range(n_frames)]
        write_luma(clips / f"{name}.mkv", frames)
        for qp in qps:
            noisy = [frame + random.integers(0, N_CODING_LEVELS, size, dtype=np.uint8) for frame in frames]
            write_luma(coded / f"ldp_qp{qp}" / f"{name}.mkv", noisy)
    return clips, coded
