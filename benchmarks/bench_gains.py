"""Measure what the default network gains on coded clips, through stream.py, and write the table.

$ python training/compress.py TEST_CLIPS --qp 37 --output data/test
$ python benchmarks/bench_gains.py TEST_CLIPS --coded data/test/ldp_qp37

Every clip runs through stream.py with its pristine original; frames in must be frames out. The gain "network" is
measured on the frames as they leave the network, "written" on those decoded back from the file with default settings.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report

COLUMNS = ("clip", "frames", "psnr_db", "delta_psnr_db", "delta_ssim", "written_delta_psnr_db", "written_delta_ssim")


@dataclass(frozen=True)
class BenchConfig:
    """Which clips, and where the results go."""

    clips: Path = report.ROOT.parent / "shared" / "clips" / "test"
    coded: Path = report.ROOT / "data" / "test" / "ldp_qp37"
    model: str = "live"
    output: Path = report.ROOT / "benchmarks" / "results" / "gains_live_qp37.csv"


def gain_of(pristine: Path, coded: Path, model: str, folder: Path) -> dict[str, Any]:
    """Run one clip through stream.py and return its row."""
    command = [sys.executable, str(report.ROOT / "runtime" / "stream.py"), str(coded), "-o", str(folder / coded.name)]
    options = ["--model", model, "--reference", str(pristine), "--json", "--overwrite"]
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=True)
    summary = json.loads(done.stdout)
    network, written = summary["gains_network"], summary["gains_written"]
    assert summary["frames_in"] == summary["frames_out"] == written["frames"]
    return {
        "clip": coded.stem,
        "frames": written["frames"],
        "psnr_db": network["psnr_db"],
        "delta_psnr_db": network["delta_psnr_db"],
        "delta_ssim": network["delta_ssim"],
        "written_delta_psnr_db": written["delta_psnr_db"],
        "written_delta_ssim": written["delta_ssim"],
        "backend": f"{summary['backend']} {summary['precision']}",
    }


def bench(config: BenchConfig) -> Iterator[dict[str, Any]]:
    """Measure every clip that has both versions."""
    with tempfile.TemporaryDirectory() as folder:
        for coded in sorted(config.coded.glob("*.mkv")):
            row = gain_of(config.clips / coded.name, coded, config.model, Path(folder))
            print(f"{row['clip']:28} {row['delta_psnr_db']:+.3f} dB, written {row['written_delta_psnr_db']:+.3f} dB")
            yield {**row, "machine": report.machine(), "git_sha": report.git_sha()}


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?", default=BenchConfig.clips, help="folder of pristine clips")
    parser.add_argument("--coded", type=Path, default=BenchConfig.coded, help="folder of their coded versions")
    parser.add_argument("--model", default=BenchConfig.model, help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure, and write a new CSV once all is measured."""
    config = parse_args(argv)
    rows = list(bench(config))
    if not rows:
        print(f"bench_gains: nothing measured, {config.coded} holds no .mkv clip (training/compress.py makes them)")
        return 0 if config == BenchConfig() else 3
    report.write_rows(config.output, rows)
    mean, worst = fmean(row["delta_psnr_db"] for row in rows), min(row["delta_psnr_db"] for row in rows)
    print(f"mean {mean:+.3f} dB, worst clip {worst:+.3f} dB over {len(rows)} clips")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
