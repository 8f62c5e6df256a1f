"""Measure how long a frame takes from a camera to a screen, through stream.py and without it.

$ python benchmarks/bench_live.py
$ python benchmarks/bench_live.py --sizes 416x240 --seconds 30

    sender (x264) --UDP--> stream.py --realtime --UDP--> receiver
    handed_s: frame n goes to the coder                  seen: frame n, told from the decoded picture; when

All are processes on this machine, whose clock is one. The sender is handed 25 frames a second, the receiver shows each
as soon as it can. What counts are frames from two seconds behind the first one on.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.live_receiver import OPEN_S, SILENCE_S, Seen, receive
from benchmarks.live_sender import RATE, send
from cvqe.errors import CvqeError
from tests.runtime.senders import free_port

PACKAGES = ("openvino", "onnxruntime", "av")
DEMO = report.ROOT / "docs" / "demo" / "demo_qp37.mp4"
STREAM = report.ROOT / "runtime" / "stream.py"
WARM_UP_S, LAST_S = 2.0, 1.0  # not counted, at the beginning and at the end: the last frames wait for a next one
PATIENCE_S = OPEN_S + SILENCE_S
PROCESSES = get_context("spawn")  # PyAV holds Python's lock while an address is opened


@dataclass(frozen=True)
class BenchConfig:
    """What to measure."""

    sizes: tuple[str, ...] = ("416x240", "1280x720")
    seconds: float = 10.0
    rounds: int = 3
    realtime_ms: int = 500
    model: str = "live"
    output: Path = report.ROOT / "benchmarks" / "results" / "live_latency.csv"


@dataclass(frozen=True)
class Way:
    """From sender to receiver: through stream.py with these options, or, with None, straight there."""

    name: str
    options: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Passage:
    """What was sent and seen, times by time.monotonic(); `summary` is stream.py's, empty without it."""

    handed_s: list[float]
    seen: list[Seen]
    summary: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def counted(self) -> list[int]:
        """Numbers of the frames that are looked at."""
        first_s, last_s = self.seen[0][1] + WARM_UP_S, self.handed_s[-1] - LAST_S
        return [number for number, handed_s in enumerate(self.handed_s) if first_s <= handed_s <= last_s]

    @cached_property
    def ages_ms(self) -> NDArray[np.float64]:
        """From the coder to the screen, of each frame that was counted and seen."""
        seen_s = dict(self.seen)
        return np.array([1000 * (seen_s[n] - self.handed_s[n]) for n in self.counted if n in seen_s])

    def figures(self) -> Iterator[tuple[str, str, float]]:
        """Yield metric, unit and value."""
        yield "lost", "share", 1 - len(self.ages_ms) / len(self.counted)
        if len(self.ages_ms):
            yield "median", "ms", float(np.median(self.ages_ms))
            yield "median", "frames", float(np.median(self.ages_ms)) * RATE / 1000
            yield "95 % within", "ms", float(np.quantile(self.ages_ms, 0.95))
            yield "longest", "ms", float(self.ages_ms.max())
        if self.summary:
            yield "median by stream.py's own count", "ms", float(self.summary["latency"]["median_ms"])
            yield "not enhanced", "share", self.summary["frames_skipped"] / self.summary["frames_in"]


def ways(config: BenchConfig) -> tuple[Way, ...]:
    """Return what is compared."""
    realtime = ("--realtime", str(config.realtime_ms), "--model", config.model)
    told = ("--output-option", "omit_video_pes_length=0")
    return (
        Way("sender to receiver"),
        Way("through stream.py", realtime),
        Way("the same, lengths told", (*realtime, *told)),
        Way("the same, no parser", (*realtime, *told, "--input-option", "fflags=noparse")),
    )


def passage(way: Way, clip: Path, size: str, seconds: float) -> Passage:
    """Send frames one way for so many seconds.

    Raises:
        CvqeError: not one of them arrived.
    """
    width, height = map(int, size.split("x"))
    has_begun, stop = PROCESSES.Event(), PROCESSES.Event()
    handed_s, seen = PROCESSES.Queue(), PROCESSES.Queue()
    end = _address()
    with ExitStack() as stack:
        stack.enter_context(_process(receive, end, has_begun, seen))
        start = end if way.options is None else _address()
        enhancing = None if way.options is None else stack.enter_context(_stream(start, end, way.options))
        stack.enter_context(_process(send, clip, (width, height), f"{start}?pkt_size=1316", stop, handed_s))
        if not has_begun.wait(OPEN_S):
            raise CvqeError(f"{way.name}: no frame arrived within {OPEN_S:g} s; another --realtime may help")
        time.sleep(WARM_UP_S + seconds + LAST_S)
        stop.set()
        summary = json.loads(enhancing.communicate(timeout=PATIENCE_S)[0]) if enhancing else {}
        return Passage(handed_s.get(timeout=PATIENCE_S), seen.get(timeout=PATIENCE_S), summary)


def _address() -> str:
    return f"udp://127.0.0.1:{free_port(SOCK_DGRAM)}"


@contextmanager
def _process(work: Callable[..., None], *arguments: object) -> Iterator[None]:
    process = PROCESSES.Process(target=work, args=arguments)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


@contextmanager
def _stream(start: str, end: str, options: tuple[str, ...]) -> "Iterator[subprocess.Popen[str]]":
    """Run stream.py from one address to the other until nothing comes any more."""
    command = [sys.executable, str(STREAM), start, "-o", f"{end}?pkt_size=1316", "--json", "--allow-partial"]
    with subprocess.Popen(
        [*command, "--stall", "1", "--give-up", "0.5", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def bench(config: BenchConfig) -> Iterator[report.Row]:
    """Measure every way at every size, in turns, printing as it goes."""
    for size in config.sizes:
        found: dict[tuple[str, str, str], list[float]] = {}
        for _ in range(config.rounds):
            for way in ways(config):
                figures = list(passage(way, DEMO, size, config.seconds).figures())
                print(f"{size} {way.name}: {_told(figures)}", flush=True)
                for metric, unit, value in figures:
                    found.setdefault((way.name, metric, unit), []).append(value)
        for (name, metric, unit), values in found.items():
            yield report.row(size, name, metric, unit, report.Timing.of(values), PACKAGES)


def _told(figures: list[tuple[str, str, float]]) -> str:
    return ", ".join(
        f"{metric} {value:.1%}" if unit == "share" else f"{metric} {value:.1f} {unit}"
        for metric, unit, value in figures
    )


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = BenchConfig
    parser.add_argument("--sizes", nargs="+", default=default.sizes, help=f"[{' '.join(default.sizes)}]")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="that count [%(default)g]")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="of every way [%(default)s]")
    parser.add_argument("--realtime-ms", type=int, default=default.realtime_ms, help="stream.py's budget [%(default)s]")
    parser.add_argument("--model", default=default.model, help="network [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write a new CSV."""
    config = parse_args(argv)
    try:
        rows = list(bench(config))
    except CvqeError as error:
        print(f"bench_live: {error}", file=sys.stderr)
        return int(error.exit_code)
    report.write_rows(config.output, [asdict(row) for row in rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
