"""Everything there is to measure on an NVIDIA GPU, in one run and one table.

$ python export/to_onnx.py --checkpoint training/checkpoints/tgafnet_qp37.safetensors --precision fp16 \
      --output out/tgafnet_fp16.onnx
$ python benchmarks/gpu_all.py --model out/tgafnet_fp16.onnx

Four deformable convolutions: against the reference, then beside torchvision's and the time their traffic needs at
least. Then the network at 1280x720 through every GPU backend that opens, transfers included, beside torch eager in
float32 with torchvision's operation. What can't run says why and leaves no row. Rows are added to the CSV.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from cvqe.errors import CvqeError
from runtime.gpu_presence import gpu_obstacle
from runtime.model_file import ModelFile, load_model_file

PACKAGES = ("torch", "torchvision", "triton", "onnxruntime-gpu", "tensorrt", "tensorrt-rtx", "cuda-bindings")
GOALS = {"of floor": 1.3, "of torchvision": 3.0, "frames/s": 120.0, "of eager": 15.0}


@dataclass(frozen=True)
class GpuConfig:
    """What to measure."""

    model: Path = report.ROOT / "out" / "tgafnet_fp16.onnx"
    size: str = "1280x720"
    frames: int = 300
    output: Path = report.ROOT / "benchmarks" / "results" / "gpu.csv"


@dataclass(frozen=True)
class Line:
    """One line of the table, and the row it leaves."""

    case: str
    provider: str
    metric: str
    unit: str
    timing: report.Timing
    note: str = ""

    def __str__(self) -> str:
        return (
            f"{self.case:24} {self.provider:34} {self.metric:14} {self.timing.median:10.3f} {self.unit:8} {self.note}"
        )


def parse_args(argv: list[str] | None = None) -> GpuConfig:
    """Read the command line; unset options keep GpuConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = GpuConfig
    parser.add_argument("--model", type=Path, default=default.model, help="fp16 .onnx of a network [%(default)s]")
    parser.add_argument("--size", default=default.size, help="WIDTHxHEIGHT [%(default)s]")
    parser.add_argument("--frames", type=int, default=default.frames, help="of a stream [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV that rows are added to [%(default)s]")
    return GpuConfig(**vars(parser.parse_args(argv)))


def kernel_lines(height: int, width: int, name: str) -> Iterator[Line]:
    """Measure the four convolutions."""
    from benchmarks.gpu_kernels import SHAPES, measure_kernel
    from benchmarks.gpu_machine import bandwidth

    bytes_per_s = bandwidth(name)
    for channels, kernel in SHAPES:
        speed = measure_kernel(channels, kernel, height, width, bytes_per_s)
        yield Line(speed.name, "floor", "time", "ms", one(speed.floor_ms), f"{bytes_per_s / 1e12:.2f} TB/s")
        for provider, timing in speed.times.items():
            yield Line(speed.name, provider, "time", "ms", timing)
        yield Line(speed.name, "ours", "error", "", one(speed.largest_error), "against the reference, float64")
        yield Line(speed.name, "ours", "of floor", "times", one(speed.of_floor), goal(speed.of_floor, "of floor", True))
        ratio = speed.of_torchvision
        yield Line(speed.name, "ours", "of torchvision", "times", one(ratio), goal(ratio, "of torchvision"))


def network_lines(model: ModelFile, height: int, width: int, n_frames: int) -> Iterator[Line]:
    """Measure the network through every backend, the papers' way first."""
    from benchmarks.gpu_networks import measure_backends, measure_eager

    case = f"{model.manifest.network} {width}x{height}"
    eager = measure_eager(model, height, width, max(5, n_frames // 20))
    assert eager.speed
    eager_rate = eager.speed.frames_per_s
    for found in [eager, *measure_backends(model, height, width, n_frames)]:
        if found.speed is None:
            print(f"{case:24} {found.provider:34} not run: {found.problem}", flush=True)
            continue
        rate, of_eager = found.speed.frames_per_s, found.speed.frames_per_s / eager_rate
        yield Line(case, found.provider, "frames/s", "1/s", one(rate), goal(rate, "frames/s"))
        yield Line(case, found.provider, "latency", "ms", found.speed.latency_ms)
        yield Line(case, found.provider, "latency p99", "ms", one(found.speed.p99_ms))
        yield Line(case, found.provider, "memory", "MiB", one(found.memory_mb))
        yield Line(case, found.provider, "of eager", "times", one(of_eager), goal(of_eager, "of eager"))


def one(value: float) -> report.Timing:
    """Return a single number as a timing."""
    return report.Timing(value, value, value)


def goal(value: float, name: str, is_upper: bool = False) -> str:
    """Say how a value stands to its goal."""
    wanted = GOALS[name]
    is_reached = value <= wanted if is_upper else value >= wanted
    return f"goal {'at most' if is_upper else 'at least'} {wanted:g}: {'reached' if is_reached else 'missed'}"


def installed() -> list[str]:
    """Return those of PACKAGES that are here."""
    from runtime.packages import installed_distributions

    here = installed_distributions()
    return [name for name in PACKAGES if name in here]


def run(config: GpuConfig) -> None:
    """Print the table line by line and add its rows to the CSV, also those before a failure.

    Raises:
        CvqeError: no GPU, no model, or a kernel that is wrong.
    """
    obstacle = gpu_obstacle()
    if obstacle:
        raise CvqeError(f"{obstacle}, so there is nothing to measure.")
    model = load_model_file(config.model)
    from benchmarks.gpu_machine import gpu_name

    name, packages = gpu_name(), installed()
    width, height = map(int, config.size.split("x"))
    print(f"{name}; {report.versions(packages)}; commit {report.git_sha()}")
    for lines in (kernel_lines(height, width, name), network_lines(model, height, width, config.frames)):
        for line in lines:
            print(line, flush=True)
            row = report.row(line.case, line.provider, line.metric, line.unit, line.timing, packages)
            report.append_rows(config.output, [replace(row, machine=name)])


def main(argv: list[str] | None = None) -> int:
    """Measure; our own errors become one message."""
    try:
        run(parse_args(argv))
    except CvqeError as error:
        print(f"gpu_all: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
