"""How much of the shown pictures each size of block, each mode and each quantiser covers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cvqe.frame import Frame
from cvqe.partition import CELL_PX, MODES, Partition
from runtime.guides import unfit

Areas = NDArray[np.int64]
LOWEST_QP, HIGHEST_QP = -48, 51  # of 16 and of any number of bits
SIDES_PX = (4, 8, 16, 32, 64)
_SMALLEST_LOG2 = 2


@dataclass(frozen=True)
class BlockAreas:
    """Luma samples that blocks of each kind cover; cropped parts of blocks do not count.

    Attributes:
        transform, coding: [5], units of 4, 8, 16, 32 and 64 samples a side.
        mode: [3], in the order of cvqe.partition.MODES.
        qp: [100], quantisers from -48 to 51; a skipped unit counts with the one predicted for it.
    """

    transform: Areas
    coding: Areas
    mode: Areas
    qp: Areas

    @classmethod
    def none(cls) -> Self:
        """Return the areas of no picture."""
        return cls(*(np.zeros(n, np.int64) for n in (len(SIDES_PX), len(SIDES_PX), len(MODES), _n_qps())))

    @classmethod
    def of(cls, partition: Partition) -> Self:
        """Measure a whole partition."""
        weights = shown_area_px(partition)
        return cls(
            _areas(partition.transform, weights, _SMALLEST_LOG2, len(SIDES_PX)),
            _areas(partition.coding, weights, _SMALLEST_LOG2, len(SIDES_PX)),
            _areas(partition.mode, weights, 0, len(MODES)),
            _areas(partition.qp, weights, LOWEST_QP, _n_qps()),
        )

    def __add__(self, other: "BlockAreas") -> "BlockAreas":
        return BlockAreas(
            self.transform + other.transform, self.coding + other.coding, self.mode + other.mode, self.qp + other.qp
        )

    @property
    def qps(self) -> dict[int, float]:
        """Share of the area at each quantiser that occurs, from the lowest up."""
        return {LOWEST_QP + int(index): float(_shares(self.qp)[index]) for index in np.flatnonzero(self.qp)}

    @property
    def mean_qp(self) -> float | None:
        """Mean over the area; None of no area."""
        return sum(qp * share for qp, share in self.qps.items()) if self.qps else None

    def as_dict(self) -> dict[str, Any]:
        """Return shares from 0 to 1, ready for JSON."""
        qps = self.qps
        return {
            "transform": _named(SIDES_PX, self.transform),
            "coding": _named(SIDES_PX, self.coding),
            "mode": _named(MODES, self.mode),
            "qp": {
                "min": min(qps, default=None),
                "mean": None if self.mean_qp is None else round(self.mean_qp, 3),
                "max": max(qps, default=None),
                "share": {str(qp): round(share, 6) for qp, share in qps.items()},
            },
        }


@dataclass(frozen=True)
class PictureStatistics:
    """One shown picture; `areas` is None, and `problems` says why, where its partition was not read as a whole."""

    number: int
    slice_types: str
    temporal_id: int | None
    areas: BlockAreas | None
    problems: tuple[str, ...]

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Measure a frame."""
        partition, picture = frame.partition, frame.picture
        obstacle = unfit(partition, picture.width, picture.height, frame.partition_obstacle)
        if partition is None or obstacle is not None:
            types, errors = (partition.slice_types, partition.errors) if partition else ("", ())
            return cls(frame.number, types, None, None, errors or (str(obstacle),))
        return cls(frame.number, partition.slice_types, partition.temporal_id, BlockAreas.of(partition), ())

    @property
    def type(self) -> str:
        """B or P with at least one such slice, else I; nothing where no slice was read."""
        return next((kind for kind in ("B", "P", "I") if kind in self.slice_types), "")

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        areas = self.areas.as_dict() if self.areas else {}
        told = {"slice_types": self.slice_types, "temporal_id": self.temporal_id, "problems": list(self.problems)}
        return {"frame": self.number, **told, **areas}


@dataclass
class ClipStatistics:
    """All pictures of a clip.

    Attributes:
        areas: of the pictures that were read as a whole, n_whole of n_pictures.
        types: how many pictures are of each type.
        problems: what was not read, and the numbers of the frames that it was not read of.
    """

    n_pictures: int = 0
    n_whole: int = 0
    areas: BlockAreas = field(default_factory=BlockAreas.none)
    types: Counter[str] = field(default_factory=Counter)
    problems: dict[str, list[int]] = field(default_factory=dict)

    def add(self, picture: PictureStatistics) -> None:
        """Count one more."""
        self.n_pictures += 1
        self.types.update([picture.type] * bool(picture.type))
        if picture.areas:
            self.n_whole += 1
            self.areas += picture.areas
        for problem in picture.problems:
            self.problems.setdefault(problem, []).append(picture.number)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        counts = {"frames": self.n_pictures, "frames_read": self.n_whole, "types": dict(sorted(self.types.items()))}
        return {**counts, **self.areas.as_dict(), "problems": self.problems}


def shown_area_px(partition: Partition) -> Areas:
    """Count the shown samples in every 4x4 cell, [rows, columns]: 16, or less where the picture is cropped."""
    rows, columns = partition.transform.shape
    window = partition.window
    heights, widths = _overlap(rows, window.top, window.height), _overlap(columns, window.left, window.width)
    area: Areas = heights[:, None] * widths
    return area


def _overlap(n_cells: int, start: int, length: int) -> Areas:
    begin = np.arange(n_cells) * CELL_PX
    common: Areas = np.minimum(begin + CELL_PX, start + length) - np.maximum(begin, start)
    return np.maximum(common, 0)


def _areas(values: NDArray[np.generic], weights: Areas, lowest: int, count: int) -> Areas:
    numbers = values.astype(np.int64).ravel() - lowest
    return np.bincount(numbers, weights.ravel(), count).astype(np.int64)


def _n_qps() -> int:
    return HIGHEST_QP - LOWEST_QP + 1


def _shares(areas: Areas) -> NDArray[np.float64]:
    return areas / max(int(areas.sum()), 1)


def _named(names: tuple[Any, ...], areas: Areas) -> Mapping[str, float]:
    return {str(name): round(float(share), 6) for name, share in zip(names, _shares(areas), strict=True)}
