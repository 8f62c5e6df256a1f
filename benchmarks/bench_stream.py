"""Time the networks: engine alone, torch eager, and whole streams from file to file.

$ python benchmarks/bench_stream.py
$ python benchmarks/bench_stream.py --sizes 416x240 --networks tgafnet --rounds 9

A network is the shipped one of this name, or has made-up weights, with offsets of some pixels: speed does not depend on
what they are. Engines and torch are interleaved in one run, so ratios hold on a busy machine. Engines are given guided
maps of a fixed grid where they take one; streams, which run in processes of their own for their peak memory, read the
transform units.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import av
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.eager_network import EagerNetwork
from cvqe.macs import count_macs
from cvqe.manifest import Manifest
from cvqe.models import create
from runtime.engine import EngineRequest, open_engine
from runtime.fixed_grid import fixed_grid_map
from runtime.model_file import load_model_file
from tests.networks import export_network

QP = 37.0
PACKAGES = ("onnxruntime", "openvino", "llvmlite", "torch", "av")
ENGINES = (("openvino", "bf16"), ("openvino", "fp32"), ("onnxruntime", "fp32"))
DEMO = report.ROOT / "docs" / "demo" / "demo_qp37.mp4"
HEAVY = ("tgafnet", "mganet")  # their streams are short, and run once
SLOW_MACS_PER_FRAME = 3e11  # beyond it torch eager is left out: minutes a frame


@dataclass(frozen=True)
class BenchConfig:
    """What to measure."""

    sizes: tuple[str, ...] = ("416x240", "1280x720")
    networks: tuple[str, ...] = ("tgafnet", "live")
    rounds: int = 7
    streams: int = 5
    frames: int = 60
    threads: int = 2
    output: Path = report.ROOT / "benchmarks" / "results" / "stream.csv"


def window_of(width: int, height: int, n_frames: int = 7) -> NDArray[np.uint8]:
    """Return the first frames of the bundled clip at this size."""
    with av.open(str(DEMO)) as container:
        frames = [frame.reformat(width, height, "gray") for frame in islice(container.decode(video=0), n_frames)]
        return np.stack([frame.to_ndarray() for frame in frames])


def guide_of(window: NDArray[np.uint8], manifest: Manifest) -> NDArray[np.float32] | None:
    """Return a guided map of the target by the fixed grid, for a network that takes one; made before the clock runs."""
    return fixed_grid_map(window[manifest.radius]) if manifest.takes_guide else None


def engine_cases(model: Path, size: str, config: BenchConfig) -> dict[str, Callable[[], object]]:
    """Return what is to be timed on one window: every engine, and torch where it ends in reasonable time."""
    width, height = map(int, size.split("x"))
    file = load_model_file(model)
    window = window_of(width, height, file.manifest.window_frames)
    guide = guide_of(window, file.manifest)
    cases: dict[str, Callable[[], object]] = {}
    for backend, precision in ENGINES:
        request = EngineRequest(file, height, width, 8, precision, config.threads)
        engine = open_engine(request, backend).engine
        cases[f"{backend} {precision}"] = lambda engine=engine: engine.enhance(window, QP, guide)  # type: ignore[misc]
    module = create(file.manifest.network, **file.manifest.options)
    if count_macs(module, height, width) < SLOW_MACS_PER_FRAME:
        eager = EagerNetwork(file, threads=config.threads)
        cases["torch eager fp32"] = lambda: eager.enhance(window, QP, guide)
    return cases


def deform_conv_share(run: Callable[[], object]) -> float:
    """Return the share of torch eager's time that our DeformConv takes."""
    run()
    with torch.profiler.profile() as profile:
        run()
    events = profile.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    return sum(event.cpu_time_total for event in events if event.key == "cvqe::deform_conv2d") / total


def stream_rows(network: str, model: Path, size: str, config: BenchConfig, folder: Path) -> Iterator[report.Row]:
    """Run stream.py on a clip of this size with every engine."""
    clip = make_clip(
        folder / f"{size}.mp4",
        size,
        config.frames // (12 if width_of(size) < 1000 else 20) if network in HEAVY else config.frames,
    )
    for backend, precision in ENGINES:
        if network in HEAVY and backend == "openvino" and precision == "fp32":
            continue  # no faster than ONNX Runtime, and slow
        n_runs = 1 if network in HEAVY else config.streams
        runs = [run_stream(clip, model, backend, precision, config.threads) for _ in range(n_runs)]
        summary = runs[-1]
        case, provider = f"{network} {size}", f"{backend} {precision}"
        timing = report.Timing.of(run["fps"] for run in runs)
        yield report.row(case, provider, "stream", "frames/s", timing, PACKAGES)
        if summary["peak_memory_mb"]:
            yield single(case, provider, "peak memory", "MB", summary["peak_memory_mb"])
        for stage, seconds in summary["busy_s"].items():
            yield single(case, provider, f"share {stage}", "%", 100 * seconds / summary["elapsed_s"])


def width_of(size: str) -> int:
    """Return the width of a size like 1280x720."""
    return int(size.split("x")[0])


def single(case: str, provider: str, metric: str, unit: str, value: float) -> report.Row:
    """Return a row of one measurement."""
    return report.row(case, provider, metric, unit, report.Timing(value, value, value), PACKAGES)


def make_clip(path: Path, size: str, n_frames: int) -> Path:
    """Scale the bundled clip to a size and code it in HEVC at a constant QP, looping as often as needed."""
    width, height = map(int, size.split("x"))
    if path.exists():
        path.unlink()
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx265", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "x265-params": f"qp={QP:.0f}:cutree=0:log-level=none"}
        written = 0
        while written < n_frames:
            with av.open(str(DEMO)) as container:
                for frame in container.decode(video=0):
                    if written < n_frames:
                        scaled = frame.reformat(width, height)
                        scaled.pts, scaled.time_base, scaled.pict_type = written, 1 / stream.average_rate, 0
                        output.mux(stream.encode(scaled))
                        written += 1
        output.mux(stream.encode(None))
    return path


def run_stream(clip: Path, model: Path, backend: str, precision: str, threads: int) -> dict[str, Any]:
    """Run stream.py once, in a process of its own; returns its summary."""
    command = [sys.executable, str(report.ROOT / "runtime" / "stream.py"), str(clip), "--json", "--overwrite"]
    options = ["--model", str(model), "--backend", backend, "--precision", precision, "--threads", str(threads)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def bench(config: BenchConfig) -> Iterator[report.Row]:
    """Measure everything asked for, printing as it goes."""
    with tempfile.TemporaryDirectory() as folder:
        for network in config.networks:
            shipped = report.ROOT / "weights" / f"{network}.onnx"
            model = shipped if shipped.exists() else export_network(network, Path(folder) / shipped.name)
            for size in config.sizes:
                cases = engine_cases(model, size, config)
                timings = report.interleaved_ms(cases, config.rounds, warm_ups=1)
                print(f"{network} {size}\n{report.table(timings)}")
                for name, timing in timings.items():
                    yield report.row(f"{network} {size}", name, "engine", "ms", timing, PACKAGES)
                if network == "tgafnet" and "torch eager fp32" in cases:
                    share = deform_conv_share(cases["torch eager fp32"])
                    print(f"DeformConv's share of torch eager: {share:.0%}")
                    yield single(f"{network} {size}", "torch eager fp32", "share DeformConv", "%", 100 * share)
                del cases
                for row in stream_rows(network, model, size, config, Path(folder)):
                    print(f"  {row.provider:24} {row.metric:16} {row.median:8.1f} {row.unit}")
                    yield row


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=BenchConfig.sizes, help="[416x240 1280x720]")
    parser.add_argument(
        "--networks", nargs="+", default=BenchConfig.networks, help="[tgafnet live]; mganet, or a file of weights/"
    )
    parser.add_argument("--rounds", type=int, default=BenchConfig.rounds, help="of every engine [%(default)s]")
    parser.add_argument("--frames", type=int, default=BenchConfig.frames, help="of a stream [%(default)s]")
    parser.add_argument("--streams", type=int, default=BenchConfig.streams, help="runs of live's [%(default)s]")
    parser.add_argument("--threads", type=int, default=BenchConfig.threads, help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to add to [%(default)s]")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure and add rows to the CSV."""
    config = parse_args(argv)
    report.append_rows(config.output, list(bench(config)))  # all, or none
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
