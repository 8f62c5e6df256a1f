"""Time the networks: engine alone, torch eager, and whole streams from file to file.

$ python benchmarks/bench_stream.py
$ python benchmarks/bench_stream.py --sizes 416x240 --networks tgafnet --rounds 9

TGAFNet has made-up weights with offsets of some pixels: speed does not depend on what they are. Engines and torch are
interleaved in one run, so ratios hold on a busy machine. Streams run in processes of their own, for their peak memory.
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
from cvqe.models import takes_qp
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import load_model_file
from tests.networks import export_network, made_up_network

QP = 37.0
PACKAGES = ("onnxruntime", "openvino", "llvmlite", "torch", "av")
ENGINES = (("openvino", "bf16"), ("openvino", "fp32"), ("onnxruntime", "fp32"))
DEMO = report.ROOT / "docs" / "demo" / "demo_qp37.mp4"
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


def window_of(width: int, height: int) -> NDArray[np.uint8]:
    """Return seven frames of the bundled clip at this size."""
    with av.open(str(DEMO)) as container:
        frames = [frame.reformat(width, height, "gray") for frame in islice(container.decode(video=0), 7)]
        return np.stack([frame.to_ndarray() for frame in frames])


def engine_cases(network: str, model: Path, size: str, config: BenchConfig) -> dict[str, Callable[[], object]]:
    """Return what is to be timed on one window: every engine, and torch where it ends in reasonable time."""
    width, height = map(int, size.split("x"))
    window = window_of(width, height)
    cases: dict[str, Callable[[], object]] = {}
    for backend, precision in ENGINES:
        request = EngineRequest(load_model_file(model), height, width, 8, precision, config.threads)
        engine = open_engine(request, backend).engine
        cases[f"{backend} {precision}"] = lambda engine=engine: engine.enhance(window, QP)  # type: ignore[misc]
    if network == "live" or width * height * 1.25e6 < SLOW_MACS_PER_FRAME:
        cases["torch eager fp32"] = torch_case(network, window, config.threads)
    return cases


def torch_case(network: str, window: NDArray[np.uint8], threads: int) -> Callable[[], object]:
    """Return the same network as its authors run it: eager, float32."""
    torch.set_num_threads(threads)
    module, floats = made_up_network(network), torch.from_numpy(window)[None].float() / 255
    inputs = (floats, torch.tensor([QP])) if takes_qp(module) else (floats,)

    def run() -> object:
        with torch.inference_mode():
            return module(*inputs)

    return run


def deform_conv_share(network: str, window: NDArray[np.uint8]) -> float:
    """Return the share of torch eager's time that our DeformConv takes."""
    run = torch_case(network, window, torch.get_num_threads())
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
        config.frames if network == "live" else config.frames // (12 if width_of(size) < 1000 else 20),
    )
    for backend, precision in ENGINES:
        if network == "tgafnet" and backend == "openvino" and precision == "fp32":
            continue  # no faster than ONNX Runtime, and slow
        n_runs = config.streams if network == "live" else 1
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
                cases = engine_cases(network, model, size, config)
                timings = report.interleaved_ms(cases, config.rounds, warm_ups=1)
                print(f"{network} {size}\n{report.table(timings)}")
                for name, timing in timings.items():
                    yield report.row(f"{network} {size}", name, "engine", "ms", timing, PACKAGES)
                if network == "tgafnet" and "torch eager fp32" in cases:
                    share = deform_conv_share(network, window_of(*map(int, size.split("x"))))
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
    parser.add_argument("--networks", nargs="+", default=BenchConfig.networks, help="[tgafnet live]")
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
