"""Code pristine clips with HEVC at the QPs a network shall repair.

$ python training/compress.py ../shared/clips/train --qp 22 27 32 37 42 --output data/train
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from cvqe.errors import CvqeError, InputError
from cvqe.metrics import psnr_db
from training.coder import CONFIGURATIONS, decode_pictures, encode_hevc, frame_rate
from training.luma_clips import load_luma


def compress_clip(source: Path, target: Path, configuration: str, qp: int) -> dict[str, str]:
    """Write one coded clip under its final name once it is whole; return its row of the index."""
    rate = frame_rate(source)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".tmp")
        unfinished.write_bytes(encode_hevc(decode_pictures(source), rate, configuration, qp))
        unfinished.rename(target)
    pristine, decoded = load_luma(source), load_luma(target)
    quality = np.mean([psnr_db(a, b) for a, b in zip(pristine, decoded, strict=True)])
    kbps = target.stat().st_size * 8 * float(rate) / len(decoded) / 1000
    return {
        "clip": source.stem,
        "configuration": configuration,
        "qp": str(qp),
        "frames": str(len(decoded)),
        "psnr_db": f"{quality:.3f}",
        "bitrate_kbps": f"{kbps:.1f}",
    }


@dataclass(frozen=True)
class Compression:
    """What to code, how, and where to."""

    clips: Path
    output: Path
    qp: tuple[int, ...] = (22, 27, 32, 37, 42)
    configuration: str = "ldp"
    workers: int = 2


def compress(options: Compression) -> Iterator[dict[str, str]]:
    """Code every clip at every QP and yield the index rows; what is there already is measured, not made again."""
    sources = sorted(options.clips.glob("*.mkv"))
    if not sources:
        raise InputError(f"{options.clips} holds no .mkv clip; give the folder of the pristine clips.")
    with ProcessPoolExecutor(options.workers) as pool:
        jobs = [
            pool.submit(
                compress_clip,
                source,
                options.output / f"{options.configuration}_qp{qp}" / f"{source.stem}.mkv",
                options.configuration,
                qp,
            )
            for qp in options.qp
            for source in sources
        ]
        for job in jobs:
            yield job.result()


def parse_args(argv: list[str] | None = None) -> Compression:
    """Read the command line; unset options keep Compression's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of pristine .mkv clips")
    parser.add_argument("--output", type=Path, required=True, help="folder for the coded clips and index.csv")
    parser.add_argument("--qp", type=int, nargs="+", default=Compression.qp, help="quantisers [22 27 32 37 42]")
    parser.add_argument("--configuration", choices=CONFIGURATIONS, default=Compression.configuration)
    parser.add_argument("--workers", type=int, default=Compression.workers, help="processes [%(default)s]")
    return Compression(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Code the clips and write their index; our own errors become one message."""
    options = parse_args(argv)
    try:
        rows = []
        for row in compress(options):
            rows.append(row)
            print("  ".join(row.values()), file=sys.stderr)
    except CvqeError as error:
        print(f"compress: {error}", file=sys.stderr)
        return int(error.exit_code)
    with (options.output / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    print(options.output / "index.csv")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
