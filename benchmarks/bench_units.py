"""Measure what transform units tell of the missing detail beyond what the decoded picture shows itself.

$ python training/compress.py CLIPS --configuration ai --transform-depth 3 --qp 37 --output data/train
$ python training/compress.py TEST_CLIPS --configuration ai --transform-depth 3 --qp 37 --output data/test
$ python benchmarks/bench_units.py CLIPS --coded data/train/ai-tu3_qp37 --test TEST_CLIPS \
      --test-coded data/test/ai-tu3_qp37

Every pixel is restored by a linear filter of the 5x5 around it, the least-squares one of its class, fitted on one set
of clips and measured on another. What a pixel's class knows is varied: nothing; how lively its surroundings are; where
it lies on the 8x8 grid that most block edges are on, which needs no bitstream; the side of its transform unit and how
far that unit's edges are. Once on decoded pictures, and once behind a network that was not told the units: there the
taps are those of the decoded and of the enhanced picture, and what is gained is what the network left.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from cvqe.errors import CvqeError
from cvqe.partition import CELL_PX
from runtime.engine import EngineRequest, open_engine
from runtime.fixed_grid import fixed_grid_map
from runtime.model_file import ModelFile, find_model
from training.clip_list import find_clips
from training.luma_clips import load_luma
from training.partition_cache import PartitionCache

Plane = NDArray[np.float32]
Classes = NDArray[np.intp]
REACH = 2  # of a filter: 5x5 taps
LIVELINESS = (1, 2, 4, 6, 9, 13, 20)  # levels: mean step between pixels in the 7x7 around, where classes part
SIDES = range(2, 7)  # log2 of a unit's side in pixels
GRID_PX = 8
EDGE_PX = 2  # pixels this far from an edge, or farther, are alike
PLACES = (EDGE_PX + 1) ** 2  # by distances to the nearest horizontal and vertical edge
RIDGE = 1e3  # in squared levels, summed over all pixels: classes of a few pixels filter next to nothing


@dataclass(frozen=True)
class Sample:
    """One frame: what it should be, what was decoded, what a network made of it; and log2 of each 4x4's unit's side."""

    pristine: Plane
    decoded: Plane
    enhanced: Plane
    transform: NDArray[np.uint8]


@dataclass(frozen=True)
class BenchConfig:
    """On which clips, behind which network, and where the results go."""

    clips: Path = report.ROOT.parent / "shared" / "clips" / "train"
    coded: Path = report.ROOT / "data" / "train" / "ai-tu3_qp37"
    test: Path = report.ROOT.parent / "shared" / "clips" / "test"
    test_coded: Path = report.ROOT / "data" / "test" / "ai-tu3_qp37"
    model: str = "mganet_slim_ai"
    qp: int = 37
    frames: int = 3
    output: Path = report.ROOT / "benchmarks" / "results" / "units.csv"


class Filters:
    """A least-squares filter for every class."""

    def __init__(self, n_classes: int, n_taps: int) -> None:
        self.n_classes = n_classes
        self._normal = np.zeros((n_classes, n_taps, n_taps))
        self._right = np.zeros((n_classes, n_taps))

    def fit(self, taps: NDArray[np.float32], missing: NDArray[np.float32], classes: Classes) -> None:
        """Learn from pixels: taps [P, K], what is missing [P], classes [P]."""
        for number, own in self._by_class(classes):
            self._normal[number] += taps[own].T @ taps[own]
            self._right[number] += taps[own].T @ missing[own]

    def restore(self, taps: NDArray[np.float32], classes: Classes) -> NDArray[np.float32]:
        """Return what the filters add to each pixel, [P]."""
        weights = np.linalg.solve(self._normal + RIDGE * np.eye(taps.shape[1]), self._right[..., None])[..., 0]
        added = np.zeros(len(taps), np.float32)
        for number, own in self._by_class(classes):
            added[own] = taps[own] @ weights[number].astype(np.float32)
        return added

    def _by_class(self, classes: Classes) -> Iterator[tuple[int, Classes]]:
        order = np.argsort(classes, kind="stable")
        bounds = np.searchsorted(classes[order], np.arange(self.n_classes + 1))
        for number in range(self.n_classes):
            if bounds[number] < bounds[number + 1]:
                yield number, order[bounds[number] : bounds[number + 1]]


def liveliness(picture: Plane) -> Classes:
    """Return the class of every pixel by how much its surroundings vary, 0 to len(LIVELINESS), [H, W]."""
    steps = np.abs(np.diff(picture, axis=0, append=picture[-1:])) + np.abs(
        np.diff(picture, axis=1, append=picture[:, -1:])
    )
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(steps, 3, mode="edge"), (7, 7))
    classes: Classes = np.digitize(windows.mean((2, 3)), LIVELINESS)
    return classes


def place_in(side_px: "NDArray[np.int64] | int", height: int, width: int) -> Classes:
    """Return each pixel's class by its distances to the edges of the square it lies in, [H, W]."""
    y, x = np.mgrid[:height, :width]
    to_rows, to_columns = (np.minimum(np.minimum(at % side_px, side_px - 1 - at % side_px), EDGE_PX) for at in (y, x))
    classes: Classes = to_rows * (EDGE_PX + 1) + to_columns
    return classes


def unit_classes(transform: NDArray[np.uint8], height: int, width: int) -> Classes:
    """Return each pixel's class by its unit's side and its place in the unit, [H, W]."""
    log2 = transform.repeat(CELL_PX, 0).repeat(CELL_PX, 1)[:height, :width].astype(np.int64)
    place = place_in(1 << log2, height, width)
    return (np.clip(log2, SIDES[0], SIDES[-1]) - SIDES[0]) * PLACES + place


N_LIVELY, N_UNITS = len(LIVELINESS) + 1, len(SIDES) * PLACES
KNOWN: dict[str, tuple[int, Callable[[Plane, Sample], Classes]]] = {
    "nothing": (1, lambda base, _: np.zeros(base.shape, np.intp)),
    "liveliness": (N_LIVELY, lambda base, _: liveliness(base)),
    "liveliness and 8x8 grid": (
        N_LIVELY * PLACES,
        lambda base, _: liveliness(base) * PLACES + place_in(GRID_PX, *base.shape),
    ),
    "liveliness and transform units": (
        N_LIVELY * N_UNITS,
        lambda base, sample: liveliness(base) * N_UNITS + unit_classes(sample.transform, *base.shape),
    ),
}


def around(picture: Plane) -> list[Plane]:
    """Return the differences of the 5x5 around every pixel to it, each [H, W]."""
    height, width = picture.shape
    padded = np.pad(picture, REACH, mode="edge")
    places = [(y, x) for y in range(2 * REACH + 1) for x in range(2 * REACH + 1) if (y, x) != (REACH, REACH)]
    return [padded[y : y + height, x : x + width] - picture for y, x in places]


def bases_of(sample: Sample) -> dict[str, tuple[Plane, NDArray[np.float32]]]:
    """Return what is filtered, and its taps [P, K]."""
    taps = around(sample.decoded)
    behind = [*taps, *around(sample.enhanced), sample.enhanced - sample.decoded]
    columns = {"decoded": (sample.decoded, taps), "behind the network": (sample.enhanced, behind)}
    return {name: (base, np.stack([each.ravel() for each in own], 1)) for name, (base, own) in columns.items()}


def samples(clip: Path, coded: Path, model: ModelFile, config: BenchConfig) -> Iterator[Sample]:
    """Yield frames spread over a clip."""
    pristine, decoded = load_luma(clip), load_luma(coded)
    units = PartitionCache(coded.parent.parent / "cache").load(coded)
    n_frames, height, width = decoded.shape
    engine = open_engine(EngineRequest(model, height, width, 8, "auto", 0)).engine
    radius = model.manifest.radius
    for t in np.linspace(radius, n_frames - 1 - radius, config.frames).astype(int):
        # a network that wants units is not told them: what they are worth is the question
        guide = fixed_grid_map(decoded[t]) if model.manifest.takes_guide else None
        window = np.ascontiguousarray(decoded[t - radius : t + radius + 1])
        enhanced = engine.enhance(window, config.qp, guide).luma
        yield Sample(
            pristine[t].astype(np.float32), decoded[t].astype(np.float32), enhanced.astype(np.float32), units[t]
        )


def fitted(config: BenchConfig, model: ModelFile) -> Mapping[tuple[str, str], Filters]:
    """Fit every kind of filter on the training clips."""
    filters: dict[tuple[str, str], Filters] = {}
    for clip in find_clips(config.clips):
        for sample in samples(clip, config.coded / f"{clip.stem}.mkv", model, config):
            for name, (base, taps) in bases_of(sample).items():
                for known, (n_classes, classes_of) in KNOWN.items():
                    own = filters.setdefault((name, known), Filters(n_classes, taps.shape[1]))
                    own.fit(taps, (sample.pristine - base).ravel(), classes_of(base, sample).ravel())
    return filters


def gains_db(filters: Mapping[tuple[str, str], Filters], sample: Sample) -> dict[tuple[str, str], float]:
    """Return what each kind of filter gains on a frame, over what it filters."""
    gains = {}
    for name, (base, taps) in bases_of(sample).items():
        missing = (sample.pristine - base).ravel()
        for known, (_, classes_of) in KNOWN.items():
            left = missing - filters[name, known].restore(taps, classes_of(base, sample).ravel())
            gains[name, known] = float(10 * np.log10(np.mean(missing**2) / np.mean(left**2)))
    return gains


def bench(config: BenchConfig) -> Iterator[dict[str, Any]]:
    """Fit, and measure every test clip."""
    model = find_model(config.model, config.qp)
    filters = fitted(config, model)
    for clip in find_clips(config.test):
        of_frames = [
            gains_db(filters, sample) for sample in samples(clip, config.test_coded / f"{clip.stem}.mkv", model, config)
        ]
        for name, known in of_frames[0]:
            gain = fmean(gains[name, known] for gains in of_frames)
            print(f"{clip.stem:28} {name:20} {known:32} {gain:+.3f} dB", flush=True)
            what = {"coding": config.test_coded.name, "network": model.path.stem, "clip": clip.stem, "filtered": name}
            how = {"known": known, "classes": KNOWN[known][0], "frames": len(of_frames)}
            yield {**what, **how, "gain_db": f"{gain:.4f}", "machine": report.machine(), "git_sha": report.git_sha()}


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = BenchConfig
    parser.add_argument("clips", type=Path, nargs="?", default=default.clips, help="pristine clips to fit on")
    parser.add_argument("--coded", type=Path, default=default.coded, help="folder of their coded versions")
    parser.add_argument("--test", type=Path, default=default.test, help="pristine clips to measure on")
    parser.add_argument("--test-coded", type=Path, default=default.test_coded, help="folder of their coded versions")
    parser.add_argument("--model", default=default.model, help="network to look behind [%(default)s]")
    parser.add_argument("--qp", type=int, default=default.qp, help="that the clips were coded at [%(default)s]")
    parser.add_argument("--frames", type=int, default=default.frames, help="of each clip [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure, and write a new CSV once all is measured."""
    config = parse_args(argv)
    try:
        rows = list(bench(config))
    except CvqeError as error:
        print(f"bench_units: {error}", file=sys.stderr)
        return int(error.exit_code)
    report.write_rows(config.output, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
