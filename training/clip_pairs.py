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
from training.clip_list import find_clips
from training.recipe import DataRecipe

log = logging.getLogger(__name__)
Luma = NDArray[np.uint8]
LEAST_FRAME_MSE = 3.0  # 43 dB: better coded frames would rule the loss that divides by it
Load = Callable[[Path], Luma]


@dataclass(frozen=True)
class ClipPair:
    """One clip before and after coding, each [T, H, W] uint8."""

    name: str
    qp: int
    pristine: Luma
    decoded: Luma

    @cached_property
    def frame_mse(self) -> NDArray[np.float32]:
        """Mean squared error of every decoded frame, at least LEAST_FRAME_MSE, [T]."""
        errors = [
            np.mean((before.astype(np.float32) - after) ** 2)
            for before, after in zip(self.pristine, self.decoded, strict=True)
        ]
        return np.maximum(np.array(errors, np.float32), LEAST_FRAME_MSE)


def load_pairs(pristine: Path, coded: Path, data: DataRecipe, load: Load) -> list[ClipPair]:
    """Read every clip of a folder that the recipe learns from, with its coded versions.

    Raises:
        InputError: there is no clip, or a coded version is missing or has another size or length; it names the file.
    """
    return _pairs(
        pristine, coded, data, load, is_wanted=lambda name: not matches(name, (*data.exclude, *data.validation))
    )


def load_validation(pristine: Path, coded: Path, data: DataRecipe, load: Load) -> list[ClipPair]:
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
    pristine: Path, coded: Path, data: DataRecipe, load: Load, is_wanted: Callable[[str], bool]
) -> list[ClipPair]:
    sources = [path for path in find_clips(pristine) if is_wanted(path.stem)]
    if not sources:
        raise InputError(f"{pristine} holds no clip that the recipe asks for (data.exclude, data.validation).")
    return [pair for source in sources for pair in _versions(source, coded, data, load)]


def _versions(source: Path, coded: Path, data: DataRecipe, load: Load) -> list[ClipPair]:
    luma = load(source)
    found = []
    for configuration in data.configuration:
        for qp in data.qp:
            version = coded / f"{configuration}_qp{qp}" / f"{source.stem}.mkv"
            if not version.exists():
                raise InputError(
                    f"{version} is missing. Make it:  python training/compress.py {source.parent} "
                    f"--configuration {configuration} --qp {qp} --output {coded}"
                )
            decoded = load(version)
            if decoded.shape != luma.shape:
                raise InputError(
                    f"{version} is {decoded.shape} (T, H, W), the pristine clip {luma.shape}; delete it, make it again."
                )
            found.append(ClipPair(source.stem, qp, luma, decoded))
    return found
