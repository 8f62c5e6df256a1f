"""Clips before and after coding, checked against each other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.neighbors import PEAK_QUALITY, Distances, distances, reach
from cvqe.partition import CELL_PX, Partition, ShownWindow
from training.clip_list import find_clips
from training.coding import compress_options
from training.recipe import DataRecipe

log = logging.getLogger(__name__)
Luma = NDArray[np.uint8]
Qps = NDArray[np.float32]
LEAST_FRAME_MSE = 3.0  # 43 dB: better coded frames would rule the loss that divides by it
Load = Callable[[Path], Luma]


@dataclass(frozen=True)
class Loaders:
    """What reads a clip's luma; where a network is given more, its transform units or the quantisers of its frames."""

    luma: Load
    transforms: Load | None = None
    qps: Callable[[Path], Qps] | None = None


@dataclass(frozen=True)
class ClipPair:
    """One clip before and after coding, each [T, H, W] uint8.

    Where asked for: `transforms`, the log2 side of every 4x4's transform unit, [T, ceil(H/4), ceil(W/4)] uint8; `qps`,
    the quantiser of every frame, [T], NaN where the bitstream doesn't tell.
    """

    name: str
    qp: int
    pristine: Luma
    decoded: Luma
    transforms: Luma | None = None
    qps: Qps | None = None

    @cached_property
    def frame_mse(self) -> NDArray[np.float32]:
        """Mean squared error of every decoded frame, at least LEAST_FRAME_MSE, [T]."""
        errors = [
            np.mean((before.astype(np.float32) - after) ** 2)
            for before, after in zip(self.pristine, self.decoded, strict=True)
        ]
        return np.maximum(np.array(errors, np.float32), LEAST_FRAME_MSE)


def distances_of(pair: ClipPair, t: int, neighbors: str) -> Distances:
    """Return how far apart the frames of frame t's window stand, as the runtime has them."""
    if neighbors != PEAK_QUALITY:
        return distances(neighbors, t, ())
    assert pair.qps is not None, "the clips were loaded without quantisers"
    farthest = reach(neighbors, 1)
    around = pair.qps[np.clip(t + np.arange(-farthest, farthest + 1), 0, len(pair.qps) - 1)]
    return distances(neighbors, t, [None if np.isnan(qp) else float(qp) for qp in around])


def partition_of(pair: ClipPair, t: int) -> Partition:
    """Return frame t's partition, of which only the transform units are known."""
    assert pair.transforms is not None, "the clips were loaded without transform units"
    transform, (_, height, width) = pair.transforms[t], pair.decoded.shape
    unknown = np.zeros_like(transform)
    window = ShownWindow(0, 0, width, height)  # training clips are coded at sizes that need no cropping
    return Partition(transform, unknown, unknown, unknown.view(np.int8), window, slice_types="")


def load_pairs(pristine: Path, coded: Path, data: DataRecipe, load: Loaders) -> list[ClipPair]:
    """Read every clip of a folder that the recipe learns from, with its coded versions.

    Raises:
        InputError: there is no clip, or a coded version is missing or has another size or length; it names the file.
    """
    return _pairs(
        pristine, coded, data, load, is_wanted=lambda name: not matches(name, (*data.exclude, *data.validation))
    )


def load_validation(pristine: Path, coded: Path, data: DataRecipe, load: Loaders) -> list[ClipPair]:
    """Read the clips that the recipe holds back; none when it names none of them."""
    if not any(matches(path.stem, data.validation) for path in find_clips(pristine)):
        if data.validation:
            log.warning("no clip of %s is held back: data.validation names %s", pristine, ", ".join(data.validation))
        return []
    return _pairs(pristine, coded, data, load, is_wanted=lambda name: matches(name, data.validation))


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a clip's name fits one of the patterns (`kitti_*`)."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def _pairs(
    pristine: Path, coded: Path, data: DataRecipe, load: Loaders, is_wanted: Callable[[str], bool]
) -> list[ClipPair]:
    sources = [path for path in find_clips(pristine) if is_wanted(path.stem)]
    if not sources:
        raise InputError(f"{pristine} holds no clip that the recipe asks for (data.exclude, data.validation).")
    return [pair for source in sources for pair in _versions(source, coded, data, load)]


def _versions(source: Path, coded: Path, data: DataRecipe, load: Loaders) -> list[ClipPair]:
    luma = load.luma(source)
    found = []
    for configuration in data.configuration:
        for qp in data.qp:
            version = coded / f"{configuration}_qp{qp}" / f"{source.stem}.mkv"
            if not version.exists():
                raise InputError(
                    f"{version} is missing. Make it:  python training/compress.py {source.parent} "
                    f"{compress_options(configuration)} --qp {qp} --output {coded}"
                )
            decoded = load.luma(version)
            if decoded.shape != luma.shape:
                raise InputError(
                    f"{version} is {decoded.shape} (T, H, W), the pristine clip {luma.shape}; delete it, make it again."
                )
            transforms = _transforms(version, decoded.shape, load.transforms) if load.transforms else None
            qps = _qps(version, len(decoded), load.qps) if load.qps else None
            found.append(ClipPair(source.stem, qp, luma, decoded, transforms, qps))
    return found


def _qps(version: Path, n_frames: int, load: Callable[[Path], Qps]) -> Qps:
    """Read the quantisers of a clip's frames, and check that there is one for each."""
    qps = load(version)
    if len(qps) != n_frames:
        raise InputError(f"{version}: quantisers of {len(qps)} frames were found, of {n_frames} were expected.")
    return qps


def _transforms(version: Path, shape: tuple[int, ...], load: Load) -> Luma:
    """Read a clip's transform units, and check that there is one for every 4x4 of every frame."""
    transforms = load(version)
    n_frames, height, width = shape
    expected = (n_frames, -(-height // CELL_PX), -(-width // CELL_PX))
    if transforms.shape != expected:
        raise InputError(
            f"{version}: its transform units are {transforms.shape} (T, rows, columns), {expected} was expected of "
            "frames that are not cropped; code the clip with training/compress.py."
        )
    return transforms
