"""Compare what every backend makes of the same frames with torch in float32.

$ python benchmarks/bench_parity.py
$ python benchmarks/bench_parity.py --networks live --frames 4

Frames of the bundled clip go through every backend as samples of 16 bits, so that outputs are compared in steps of
1/65535 of the range and not after rounding to 8 bits; through OpenVINO's bf16 in both depths, which differ there. For
TensorRT an engine is built first. A backend that can't run here gets a row that says why; one that was measured on
another machine before keeps its row.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.parity import (
    PROVIDERS,
    Frames,
    Provider,
    backend_lumas,
    compared,
    demo_frames,
    export_for,
    rounded,
    torch_lumas,
)
from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import CvqeError
from cvqe.models import takes_guide
from runtime.machine import nvidia_gpus

CHECKPOINTS = {
    "live": report.ROOT / "weights" / "live.onnx",
    "tgafnet": report.ROOT / "training" / "checkpoints" / "tgafnet_qp37.safetensors",
    "mganet_slim_ai": report.ROOT / "weights" / "mganet_slim_ai_qp37.onnx",
}
Row = Mapping[str, str]


@dataclass(frozen=True)
class BenchConfig:
    """What to compare, and where the results go."""

    networks: tuple[str, ...] = tuple(CHECKPOINTS)
    frames: int = 6
    threads: int = 0
    output: Path = report.ROOT / "benchmarks" / "results" / "parity.csv"


def frames_for(path: Path, n_frames: int) -> Frames:
    """Return windows of the bundled clip as a network sees them, with guided maps if it takes them."""
    checkpoint = load_checkpoint(path)
    network = network_from_checkpoint(checkpoint)
    return demo_frames(n_frames, int(network.radius), checkpoint.neighbors, takes_guide(network))


def rows_of(network: str, config: BenchConfig, folder: Path) -> Iterator[Row]:
    """Measure one network through every provider."""
    frames = frames_for(CHECKPOINTS[network], config.frames)
    expected = torch_lumas(CHECKPOINTS[network], frames)
    reference = compared(expected, expected, frames)
    what = {"frames": str(len(expected)), "size": f"{expected.shape[2]}x{expected.shape[1]}"}
    print(f"{network}: torch fp32 gains {reference.gain_db:+.4f} dB over {what['frames']} frames of {what['size']}")
    for provider in PROVIDERS:
        measured, not_run = ["", "", "", ""], ""
        try:
            file = export_for(provider, CHECKPOINTS[network], folder)
            lumas = backend_lumas(provider, file, frames, config.threads)
            parity = compared(lumas, rounded(expected, provider.bit_depth), frames)
            measured = [
                f"{parity.largest_difference:.2g}",
                f"{parity.psnr_db:.1f}",
                f"{parity.gain_db:.4f}",
                f"{parity.loss_db:.5f}",
            ]
        except CvqeError as error:
            not_run = str(error).splitlines()[0]
        print(f"  {provider.name:28} {'  '.join(measured) if not not_run else 'not run: ' + not_run}")
        names = ("largest_difference", "psnr_db", "gain_db", "loss_db")
        figures = dict(zip(names, measured, strict=True))
        told = {"network": network, "provider": provider.name, "bits": str(provider.bit_depth), **what}
        yield {**told, **figures, "not_run": not_run, **here(provider)}


def here(provider: Provider) -> Row:
    """Return the columns that say where and when."""
    names = {distribution.name.lower() for distribution in metadata.distributions()}
    return {
        "machine": "; ".join([report.machine(), *nvidia_gpus()[0]]),
        "versions": report.versions(name for name in dict.fromkeys(("torch", *provider.packages)) if name in names),
        "git_sha": report.git_sha(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def merged(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Return the new rows, but an old one where that was measured and the new one was not; then what else is old."""
    before = {(row["network"], row["provider"]): row for row in old}
    chosen = []
    for row in new:
        earlier = before.pop((row["network"], row["provider"]), row)
        chosen.append(earlier if row["not_run"] and not earlier["not_run"] else row)
    return [*chosen, *before.values()]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a results file, none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = BenchConfig
    parser.add_argument("--networks", nargs="+", choices=CHECKPOINTS, default=default.networks, help="[all]")
    parser.add_argument("--frames", type=int, default=default.frames, help="targets of the clip [%(default)s]")
    parser.add_argument("--threads", type=int, default=default.threads, help="0: every processor [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write [%(default)s]")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write the CSV."""
    config = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for network in config.networks for row in rows_of(network, config, Path(folder))]
    report.write_rows(config.output, merged(read_rows(config.output), rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
