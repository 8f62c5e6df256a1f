"""Measure what neighboring frames are worth once they are aligned: the choice of frames that a network should read.

$ pip install opencv-python-headless
$ python training/compress.py CLIPS --qp 37 --output data/train
$ python benchmarks/bench_neighbors.py CLIPS --coded data/train/ldp_qp37

No network: each neighbor is moved onto the target by optical flow between the decoded frames (DIS, Kroeger et al., ECCV
2016), averaged over cells of 8x8 px, and its difference to the target is gated at three strengths. The gain is that of
the linear combination of these differences that fits a clip best: what alignment can bring beside deblocking.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from training.luma_clips import load_luma

Plane = NDArray[np.float32]
CELL = 8
GATES = (3.0, 10.0, 30.0)  # levels: differences far above are other surfaces
EVERY = 6  # frames between two targets
SETS: dict[str, tuple[int, ...]] = {
    "t+1, t+3": (1, 3),
    "t+1, t+3, not aligned": (1, 3),
    "t+1 to t+3": (1, 2, 3),
    "t-1, t+1": (-1, 1),
    "t-1, t+1, t+3": (-1, 1, 3),
    "t-3 to t+3": (-3, -2, -1, 1, 2, 3),
    "t-1, t-2": (-1, -2),
    "t+1, t+3, t+5": (1, 3, 5),
    "t+1, t+2, t+4, t+6": (1, 2, 4, 6),
}


@dataclass(frozen=True)
class BenchConfig:
    """Which clips, how many of them, and where the results go."""

    clips: Path = report.ROOT.parent / "shared" / "clips" / "train"
    coded: Path = report.ROOT / "data" / "train" / "ldp_qp37"
    names: tuple[str, ...] = (
        "davis_camel*",
        "davis_cows*",
        "davis_scooter*",
        "davis_dog*",
        "davis_breakdance*",
        "bigbuck*",
    )
    output: Path = report.ROOT / "benchmarks" / "results" / "neighbors.csv"


def flows(decoded: NDArray[np.uint8], t: int) -> dict[int, Plane]:
    """Return the displacement from frame t to each neighbor, [H, W, 2] as (dx, dy), smooth over 8x8 px."""
    import cv2

    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    _, height, width = decoded.shape
    found = {}
    for k in sorted({k for offsets in SETS.values() for k in offsets}):
        flow = search.calc(decoded[t], decoded[t + k], None)
        cells = cv2.resize(flow, (width // CELL, height // CELL), interpolation=cv2.INTER_AREA)
        found[k] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    return found


def gated_differences(neighbor: Plane, target: Plane, flow: Plane | None, is_cubic: bool) -> list[Plane]:
    """Return a neighbor's difference to the target, aligned if there is a flow, at each gate, [H*W] each."""
    import cv2

    if flow is not None:
        y, x = np.mgrid[: target.shape[0], : target.shape[1]].astype(np.float32)
        filter_of = cv2.INTER_CUBIC if is_cubic else cv2.INTER_LINEAR
        places = (x + flow[..., 0], y + flow[..., 1])
        neighbor = cv2.remap(neighbor, *places, filter_of, borderMode=cv2.BORDER_REPLICATE)
    difference = neighbor - target
    return [(difference * np.exp(-(difference**2) / (2 * gate**2))).ravel() for gate in GATES]


def best_gain_db(columns: NDArray[np.float32], missing: NDArray[np.float32]) -> float:
    """Return what the best linear combination of columns [P, K] gains when it is added to the decoded pixels."""
    normal = columns.T @ columns + 1e-3 * np.eye(columns.shape[1], dtype=np.float32)
    left = missing - columns @ np.linalg.solve(normal, columns.T @ missing)
    return float(10 * np.log10(np.mean(missing**2) / np.mean(left**2)))


def gains_of(pristine: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> dict[tuple[str, str], float]:
    """Return a clip's gain in dB for each set of neighbors and each interpolation."""
    reach = max(abs(k) for offsets in SETS.values() for k in offsets)
    targets = range(reach, len(decoded) - reach, EVERY)
    floats = decoded.astype(np.float32)
    moved = {t: flows(decoded, t) for t in targets}
    missing = np.concatenate([(pristine[t] - floats[t]).ravel() for t in targets])

    def columns(name: str, offsets: Sequence[int], is_cubic: bool) -> NDArray[np.float32]:
        frames = []
        for t in targets:
            aligned = {k: None if name.endswith("not aligned") else moved[t][k] for k in offsets}
            parts = [gated_differences(floats[t + k], floats[t], aligned[k], is_cubic) for k in offsets]
            frames.append(np.stack([column for part in parts for column in part], 1))
        return np.concatenate(frames)

    return {
        (name, "cubic" if is_cubic else "linear"): best_gain_db(columns(name, offsets, is_cubic), missing)
        for name, offsets in SETS.items()
        for is_cubic in (False, True)
    }


def bench(config: BenchConfig) -> Iterator[dict[str, Any]]:
    """Measure every clip that has both versions."""
    for name in config.names:
        for coded in sorted(config.coded.glob(f"{name}.mkv")):
            gains = gains_of(load_luma(config.clips / coded.name), load_luma(coded))
            print(
                f"{coded.stem:28}", *(f"{name} {how} {gain:+.3f} " for (name, how), gain in gains.items()), sep="\n  "
            )
            for (neighbors, interpolation), gain in gains.items():
                row = {"clip": coded.stem, "neighbors": neighbors, "interpolation": interpolation}
                yield {**row, "gain_db": f"{gain:.4f}", "machine": report.machine(), "git_sha": report.git_sha()}


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?", default=BenchConfig.clips, help="folder of pristine clips")
    parser.add_argument("--coded", type=Path, default=BenchConfig.coded, help="folder of their coded versions")
    parser.add_argument("--names", nargs="+", default=BenchConfig.names, help="which clips, as patterns")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure, and write a new CSV once all is measured."""
    config = parse_args(argv)
    try:
        import cv2  # noqa: F401
    except ImportError:
        print("bench_neighbors: nothing measured, OpenCV is not installed (pip install opencv-python-headless)")
        return 0 if config == BenchConfig() else 1
    rows = list(bench(config))
    if not rows:
        print(f"bench_neighbors: nothing measured, {config.coded} holds none of the clips (training/compress.py)")
        return 0 if config == BenchConfig() else 3
    report.write_rows(config.output, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
