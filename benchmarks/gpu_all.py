"""Everything there is to measure on an NVIDIA GPU, in one run and one table.

$ python benchmarks/gpu_all.py
$ python benchmarks/gpu_all.py --model out/tgafnet_fp16.onnx

Four deformable convolutions: against the reference, then beside torchvision's and the time their traffic needs at
least. Then the network at 1280x720 through every GPU backend, transfers included, beside torch eager in float32 with
torchvision's operation. Without --model that is TGAFNet, exported to out/ first. What can't run says why and leaves no
row. Rows are added to the CSV.

Most of the time goes into compiling: eight kernels, then an engine for each TensorRT library, which a later run finds
in engines/.
exit codes: 0 done, 1 something failed that should have run (a missing package is no failure), 2 usage
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.gpu_result import Line, NotRun, Obstacle, attempted, goal, one
from cvqe.errors import CvqeError
from runtime.gpu_presence import gpu_obstacle
from runtime.model_file import ModelFile, load_model_file

if TYPE_CHECKING:
    from benchmarks.gpu_networks import NetworkSpeed  # which needs torch

PACKAGES = ("torch", "torchvision", "triton", "onnxruntime-gpu", "tensorrt", "tensorrt-rtx", "cuda-bindings")


@dataclass(frozen=True)
class GpuConfig:
    """What to measure."""

    model: Path | None = None
    size: str = "1280x720"
    frames: int = 300
    output: Path = report.ROOT / "benchmarks" / "results" / "gpu.csv"


def parse_args(argv: list[str] | None = None) -> GpuConfig:
    """Read the command line; unset options keep GpuConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = GpuConfig
    parser.add_argument(
        "--model", type=Path, default=default.model, help="fp16 .onnx of a network [TGAFNet, exported now]"
    )
    parser.add_argument("--size", default=default.size, help="WIDTHxHEIGHT [%(default)s]")
    parser.add_argument("--frames", type=int, default=default.frames, help="of a stream [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV that rows are added to [%(default)s]")
    return GpuConfig(**vars(parser.parse_args(argv)))


def kernel_lines(height: int, width: int) -> Iterator[Line | NotRun]:
    """Measure the four convolutions."""
    kernels = attempted(lambda: import_module("benchmarks.gpu_kernels"))
    if isinstance(kernels, Obstacle):
        yield kernels.line("deformable convolutions", "ours, torchvision")
        return
    for channels, kernel in kernels.SHAPES:
        yield from case_lines(kernels.case_name(channels, kernel), kernels.problem_of(channels, kernel), height, width)


def case_lines(case: str, problem: Any, height: int, width: int) -> Iterator[Line | NotRun]:
    """Check one convolution, then time it; where it is wrong, torchvision's alone is timed."""
    from benchmarks import gpu_kernels, gpu_machine

    times: dict[str, float] = {}
    bandwidth = attempted(gpu_machine.bandwidth)
    if isinstance(bandwidth, Obstacle):
        yield bandwidth.line(case, "floor")
    else:
        times["floor"] = gpu_kernels.floor_ms(problem, height, width, bandwidth.bytes_per_s)
        yield Line(case, "floor", "time", "ms", one(times["floor"]), str(bandwidth))
    error = attempted(partial(gpu_kernels.checked_error, problem))
    if isinstance(error, Obstacle):
        yield error.line(case, "ours")
    else:
        yield Line(case, "ours", "error", "", one(error), "at most, to the reference in float64")
    ours = {} if isinstance(error, Obstacle) else gpu_kernels.OURS
    for provider, timed in {**ours, **gpu_kernels.THEIRS}.items():
        timing = attempted(partial(from_empty_memory, timed, problem, height, width))
        if isinstance(timing, Obstacle):
            yield timing.line(case, provider)
        else:
            times[provider] = timing.median
            yield Line(case, provider, "time", "ms", timing)
    yield from ratio_lines(case, times)


def from_empty_memory(timed: Callable[..., report.Timing], *arguments: Any) -> report.Timing:
    """Time one provider behind another, whose memory is given back before."""
    from benchmarks.gpu_machine import give_back

    give_back()
    return timed(*arguments)


def ratio_lines(case: str, times: Mapping[str, float]) -> Iterator[Line]:
    """Compare our time with the others that there are."""
    if {"ours", "floor"} <= times.keys():
        ratio = times["ours"] / times["floor"]
        yield Line(case, "ours", "of floor", "times", one(ratio), goal(ratio, "of floor", True))
    if {"ours", "torchvision"} <= times.keys():
        ratio = times["torchvision"] / times["ours"]
        yield Line(case, "ours", "of torchvision", "times", one(ratio), goal(ratio, "of torchvision"))


def network_lines(model: ModelFile | None, height: int, width: int, n_frames: int) -> Iterator[Line | NotRun]:
    """Measure the network, TGAFNet where none is given, through every backend, the papers' way first."""
    from benchmarks import gpu_files, gpu_networks

    file = attempted(lambda: model or gpu_files.tgafnet_file())
    if isinstance(file, Obstacle):
        yield file.line(f"tgafnet {width}x{height}", "every backend")
        return
    case, eager_rate = f"{file.manifest.network} {width}x{height}", None
    for name, work in gpu_networks.works(file, height, width, n_frames).items():
        found = attempted(work)
        if isinstance(found, Obstacle):
            yield found.line(case, name)
            continue
        if name == gpu_networks.EAGER_FP32:
            eager_rate = found.speed.frames_per_s
        yield from speed_lines(case, found, eager_rate)


def speed_lines(case: str, found: "NetworkSpeed", eager_rate: float | None) -> Iterator[Line]:
    """Tell what one provider reached; `eager_rate` is that of torch in true float32, None where it did not run."""
    provider, speed = found.provider, found.speed
    yield Line(case, provider, "frames/s", "1/s", one(speed.frames_per_s), goal(speed.frames_per_s, "frames/s"))
    yield Line(case, provider, "latency", "ms", speed.latency_ms)
    yield Line(case, provider, "latency p99", "ms", one(speed.p99_ms))
    yield Line(case, provider, "memory", "MiB", one(found.memory_mb))
    if eager_rate is not None:
        ratio = speed.frames_per_s / eager_rate
        yield Line(case, provider, "of eager", "times", one(ratio), goal(ratio, "of eager"))


def installed() -> list[str]:
    """Return those of PACKAGES that are here."""
    from runtime.packages import installed_distributions

    here = installed_distributions()
    return [name for name in PACKAGES if name in here]


def run(config: GpuConfig) -> int:
    """Print the table line by line, add its rows to the CSV, and return how much failed that should have run.

    Raises:
        CvqeError: no GPU, no torch, or the model named is none.
    """
    obstacle = gpu_obstacle() or (None if find_spec("torch") else "torch is not installed")
    if obstacle:
        raise CvqeError(f"{obstacle}, so there is nothing to measure.")
    model = load_model_file(config.model) if config.model else None
    from benchmarks.gpu_machine import gpu_name

    name, packages = gpu_name(), installed()
    width, height = map(int, config.size.split("x"))
    print(f"{name}; {report.versions(packages)}; commit {report.git_sha()}")
    n_failures = 0
    for line in chain(kernel_lines(height, width), network_lines(model, height, width, config.frames)):
        print(line, flush=True)
        if isinstance(line, NotRun):
            n_failures += line.is_failure
        else:
            row = report.row(line.case, line.provider, line.metric, line.unit, line.timing, packages)
            report.append_rows(config.output, [replace(row, machine=name)])
    return n_failures


def main(argv: list[str] | None = None) -> int:
    """Measure; our own errors become one message."""
    try:
        n_failures = run(parse_args(argv))
    except CvqeError as error:
        print(f"gpu_all: {error}", file=sys.stderr)
        return int(error.exit_code)
    if n_failures:
        print(f"gpu_all: {n_failures} of the measurements failed; the lines above say why.", file=sys.stderr)
    return int(n_failures > 0)


if __name__ == "__main__":
    raise SystemExit(main())
