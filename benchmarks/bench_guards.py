"""Measure what a stream pays for its guards: scene cuts, segments for --resume, the file read back, and all counting.

$ python benchmarks/bench_guards.py
$ python benchmarks/bench_guards.py --sizes 416x240 --rounds 9

A clip is enhanced with all of them, without segments, and without any, in turns; so differences hold on a busy machine,
in seconds by the clock and in those of all processors. Single guards are timed in these runs where they can be left
out, and alone where they can't (guard_parts.py).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.bench_stream import make_clip
from benchmarks.guard_parts import parts
from benchmarks.report import Timing
from cvqe.errors import CvqeError
from runtime import destination
from runtime.model_file import find_model
from runtime.resume_record import ResumeRecord
from runtime.run import stream
from runtime.stream_config import StreamConfig

PACKAGES = ("openvino", "onnxruntime", "av", "numpy")
ALL, UNSEGMENTED, NONE = "all guards", "no segments", "no guards"
WAYS: dict[str, dict[str, Any]] = {
    ALL: {},
    UNSEGMENTED: {"segment": 0},
    NONE: {"segment": 0, "scene_cuts": False},
}
PARTS = {"segments_s": "segments written", "read_back_s": "read back"}
RECORDING = ("add", "end_segment", "remove")
WARM_UP_FRAMES = 16


@dataclass(frozen=True)
class BenchConfig:
    """What to measure."""

    sizes: tuple[str, ...] = ("416x240", "1280x720")
    frames: int = 272  # two segments of 128, and some more
    rounds: int = 7
    model: str = "live"
    output: Path = report.ROOT / "benchmarks" / "results" / "guards.csv"


@dataclass(frozen=True)
class Run:
    """One stream: seconds by the clock and of all processors, what two guards took of them, the size of its file."""

    elapsed_s: float
    processor_s: float
    segments_s: float
    read_back_s: float
    size_bytes: int


def run(config: StreamConfig, is_read_back: bool) -> Run:
    """Enhance a clip."""
    began: list[float] = []
    with ExitStack() as stack:
        if not is_read_back:
            stack.enter_context(patch.object(destination, "check_written", lambda *_: None))
        # one is done beside the network, the other when nothing else is left to do
        segments = [stack.enter_context(timed(ResumeRecord, name, time.thread_time)) for name in RECORDING]
        read_back = stack.enter_context(timed(destination, "check_written", time.perf_counter))
        summary = stream(config, lambda _: began.append(time.process_time()), lambda *_: None)
        processor_s = time.process_time() - began[0]
    size_bytes = Path(str(config.output)).stat().st_size
    return Run(summary.elapsed_s, processor_s, sum(map(sum, segments)), sum(read_back), size_bytes)


@contextmanager
def timed(place: object, name: str, clock: Callable[[], float]) -> Iterator[list[float]]:
    """Note how many seconds each call of a function takes, by a clock."""
    spent: list[float] = []
    called: Callable[..., Any] = getattr(place, name)

    def timed_call(*arguments: object) -> object:
        start_s = clock()
        try:
            return called(*arguments)
        finally:
            spent.append(clock() - start_s)

    with patch.object(place, name, timed_call):
        yield spent


def runs_of(clip: Path, config: BenchConfig) -> dict[str, list[Run]]:
    """Enhance a clip every way in turns, once for nothing."""
    plan = StreamConfig(clip, clip.with_suffix(".out.mp4"), model=config.model, overwrite=True)
    run(replace(plan, frames=WARM_UP_FRAMES), is_read_back=True)
    runs: dict[str, list[Run]] = {name: [] for name in WAYS}
    for number in range(config.rounds):
        for name, options in WAYS.items():
            runs[name].append(run(replace(plan, **options), is_read_back=name != NONE))
            print(f"{number + 1} {name}: {runs[name][-1].elapsed_s:.2f} s", flush=True)
    return runs


def stream_rows(size: str, runs: dict[str, list[Run]], n_frames: int) -> Iterator[report.Row]:
    """Yield a stream's time, what its guards took of it, and what it takes less without them."""
    ms = 1000 / n_frames
    whole = runs[ALL]
    yield row(size, "stream", "time", "ms/frame", (ms * each.elapsed_s for each in whole))
    yield row(size, "stream", "processors", "ms/frame", (ms * each.processor_s for each in whole))
    for part, of, metric in (("segments_s", "processor_s", "processors"), ("read_back_s", "elapsed_s", "time")):
        seconds = [getattr(each, part) for each in whole]
        shares = (a / getattr(b, of) for a, b in zip(seconds, whole, strict=True))
        yield row(size, PARTS[part], metric, "ms/frame", (ms * each for each in seconds))
        yield row(size, PARTS[part], metric, "share", shares)
    for name, other in (("segments", UNSEGMENTED), ("all guards", NONE)):
        for of, metric in (("elapsed_s", "time"), ("processor_s", "processors"), ("size_bytes", "file size")):
            more = (getattr(a, of) / getattr(b, of) - 1 for a, b in zip(whole, runs[other], strict=True))
            yield row(size, f"{name}, in pairs", metric, "share", more)


def part_rows(size: str, clip: Path, config: BenchConfig, stream_ms: float) -> Iterator[report.Row]:
    """Yield what single guards take alone, and its share of what a stream takes of the processors."""
    measures = parts(clip, find_model(config.model))
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(config.rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    for name, numbers in taken.items():
        yield row(size, name, "processors", "ms/frame", numbers)
        yield row(size, name, "processors", "share", (number / stream_ms for number in numbers))


def row(size: str, guard: str, metric: str, unit: str, numbers: Iterable[float]) -> report.Row:
    """Return the row of a guard."""
    return report.row(size, guard, metric, unit, Timing.of(numbers), PACKAGES)


def bench(config: BenchConfig) -> Iterator[report.Row]:
    """Measure everything asked for, printing as it goes."""
    with tempfile.TemporaryDirectory() as folder:
        for size in config.sizes:
            clip = make_clip(Path(folder) / f"{size}.mp4", size, config.frames)
            of_streams = list(stream_rows(size, runs_of(clip, config), config.frames))
            rows = [*of_streams, *part_rows(size, clip, config, of_streams[1].median)]
            for each in rows:
                print(f"{size} {each.provider:40} {each.metric:12} {each.median:9.4f} {each.unit}")
            yield from rows


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = BenchConfig
    parser.add_argument("--sizes", nargs="+", default=default.sizes, help=f"[{' '.join(default.sizes)}]")
    parser.add_argument("--frames", type=int, default=default.frames, help="of a stream [%(default)s]")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="of every way [%(default)s]")
    parser.add_argument("--model", default=default.model, help="network [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write a new CSV."""
    config = parse_args(argv)
    try:
        rows = list(bench(config))
    except CvqeError as error:
        print(f"bench_guards: {error}", file=sys.stderr)
        return int(error.exit_code)
    report.write_rows(config.output, [asdict(row) for row in rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
