"""Compare the memory a run is expected to take with what it takes at its peak.

$ python benchmarks/bench_memory.py
$ python benchmarks/bench_memory.py --networks live --sizes 3840x2160

Every run is a process of its own. A network is the shipped one of this name, or has made-up weights: the tensors are as
large. What is expected comes from memory_need.py, before the run.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.bench_stream import HEAVY, make_clip, run_stream
from benchmarks.report import Timing
from runtime.memory_need import PlannedRun, StatedVideo, memory_need
from runtime.model_file import load_model_file
from tests.networks import export_network

PACKAGES = ("onnxruntime", "openvino", "av")
MB = 2**20
FRAMES, HEAVY_FRAMES = 48, 4  # enough for the encoder to look ahead as far as it does; a heavy network's are few


@dataclass(frozen=True)
class BenchConfig:
    """What to measure."""

    sizes: tuple[str, ...] = ("416x240", "1280x720", "1920x1080", "3840x2160")
    networks: tuple[str, ...] = ("live", "tgafnet")
    backends: tuple[str, ...] = ("openvino", "onnxruntime")
    largest_heavy: str = "1280x720"
    threads: int = 2
    output: Path = report.ROOT / "benchmarks" / "results" / "memory.csv"


def bench(config: BenchConfig) -> Iterator[report.Row]:
    """Measure everything asked for, printing as it goes."""
    with tempfile.TemporaryDirectory() as folder:
        for network in config.networks:
            shipped = report.ROOT / "weights" / f"{network}.onnx"
            model = shipped if shipped.exists() else export_network(network, Path(folder) / shipped.name)
            for size in config.sizes:
                if network in HEAVY and n_pixels(size) > n_pixels(config.largest_heavy):
                    continue
                clip = make_clip(Path(folder) / "in.mp4", size, HEAVY_FRAMES if network in HEAVY else FRAMES)
                for backend in config.backends:
                    yield from rows_of(network, model, clip, size, backend, config.threads)


def rows_of(network: str, model: Path, clip: Path, size: str, backend: str, threads: int) -> Iterator[report.Row]:
    """Yield what was expected, what came, and their ratio."""
    width, height = map(int, size.split("x"))
    video = StatedVideo(width, height, "yuv420p")
    expected = memory_need(PlannedRun(video, load_model_file(model), backend, threads=threads)) / MB
    summary = run_stream(clip, model, backend, "auto", threads)
    found = summary["peak_memory_mb"]
    case, provider = f"{network} {size}", f"{backend} {summary['precision']}"
    print(
        f"{case:24} {provider:20} expected {expected:7.0f} MB, found {found:7.0f} MB: {expected / found:.2f}",
        flush=True,
    )
    for metric, unit, value in (
        ("expected memory", "MB", expected),
        ("peak memory", "MB", found),
        ("expected / found", "ratio", expected / found),
    ):
        yield report.row(case, provider, metric, unit, Timing(value, value, value), PACKAGES)


def n_pixels(size: str) -> int:
    """Return the pixels of a size like 1280x720."""
    width, height = map(int, size.split("x"))
    return width * height


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = BenchConfig
    parser.add_argument("--sizes", nargs="+", default=default.sizes, help=f"[{' '.join(default.sizes)}]")
    parser.add_argument("--networks", nargs="+", default=default.networks, help=f"[{' '.join(default.networks)}]")
    parser.add_argument("--backends", nargs="+", default=default.backends, help=f"[{' '.join(default.backends)}]")
    parser.add_argument("--largest-heavy", default=default.largest_heavy, help="size of tgafnet's [%(default)s]")
    parser.add_argument("--threads", type=int, default=default.threads, help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write a new CSV."""
    config = parse_args(argv)
    report.write_rows(config.output, [asdict(row) for row in bench(config)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
