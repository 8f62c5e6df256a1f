"""Time the HEVC partition parser: alone on one core, with decoding and guided maps on two, and how it starts.

$ python benchmarks/bench_partition.py
$ python benchmarks/bench_partition.py --clip my_720p_clip.mkv --rounds 9

Streams are made of the clip by x265. Parsing is timed by the wall clock and by the processor's, which tells what one
core does even when others want it too. Starts are timed in processes of their own, with an empty and a filled cache.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import av

from benchmarks import report
from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.guides import Guides
from runtime.hevc.partition_reader import PartitionReader
from training.x265_settings import PRESET, x265_params

PACKAGES = ("numba", "numpy", "av")
HD, SMALL = (1280, 720), (416, 240)
THREADS = 2
FIRST_PICTURES = 3
START = """
import sys, time
start = time.perf_counter()
import av
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    extradata = stream.codec_context.extradata
    packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
known = time.perf_counter()
from runtime.hevc.partition_reader import PartitionReader
reader = PartitionReader(extradata)
assert all(reader.feed(packet).is_whole for packet in packets[:int(sys.argv[2])])
print(time.perf_counter() - known)
"""


@dataclass(frozen=True)
class Case:
    """One stream to make: how it is coded, and how many frames are worth timing."""

    name: str
    configuration: str
    qp: int
    size: tuple[int, int]
    n_frames: int
    transform_depth: int = 1


CASES = (
    Case("720p low-delay QP 32", "ldp", 32, HD, 60),
    Case("720p low-delay QP 32, transform depth 3", "ldp", 32, HD, 60, transform_depth=3),
    Case("720p low-delay QP 22", "ldp", 22, HD, 30),
    Case("720p all-intra QP 22", "ai", 22, HD, 16),
    Case("720p all-intra QP 37", "ai", 37, HD, 16),
    Case("416x240 low-delay QP 32", "ldp", 32, SMALL, 120),
    Case("416x240 all-intra QP 22", "ai", 22, SMALL, 60),
)


@dataclass(frozen=True)
class BenchConfig:
    """What to measure, and where the results go."""

    clip: Path = report.ROOT.parent / "shared" / "clips" / "test" / "apple_orchard_1280x720.mkv"
    rounds: int = 7
    starts: int = 3
    output: Path = report.ROOT / "benchmarks" / "results" / "partition.csv"


@dataclass(frozen=True)
class Stream:
    """A coded file and its packets."""

    path: Path
    extradata: bytes
    packets: list[bytes]

    @property
    def n_bits(self) -> int:
        """Size of all packets."""
        return 8 * sum(map(len, self.packets))

    def parse(self) -> int:
        """Read every packet; return how many pictures were whole."""
        reader = PartitionReader(self.extradata)
        partitions = [reader.feed(packet) for packet in self.packets]
        return sum(partition is not None and partition.is_whole for partition in partitions)


def make_stream(case: Case, clip: Path, folder: Path) -> Stream:
    """Code the clip's first frames."""
    path = folder / f"{case.name}.mp4"
    params = x265_params(case.configuration, case.qp, case.n_frames, case.transform_depth)
    with av.open(str(path), "w") as output, av.open(str(clip)) as container:
        stream = output.add_stream("libx265", rate=24)
        stream.width, stream.height, stream.pix_fmt = *case.size, "yuv420p"
        stream.options = {"preset": PRESET, "x265-params": params}
        for number, frame in enumerate(islice(container.decode(video=0), case.n_frames)):
            scaled = frame.reformat(*case.size, format="yuv420p")
            scaled.pts, scaled.time_base, scaled.pict_type = number, 1 / stream.average_rate, 0
            output.mux(stream.encode(scaled))
        output.mux(stream.encode(None))
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        packets = [bytes(packet) for packet in container.demux(video) if packet.size]
        return Stream(path, video.codec_context.extradata or b"", packets)


def read_frames(path: Path, with_guides: bool) -> int:
    """Decode a file as stream.py does, with partitions and guided maps or without; return the number of frames."""
    with open_source(path, THREADS, with_partitions=with_guides) as source:
        guides, n_frames = Guides("mganet", source.partition_obstacle), 0
        for item in source.items():
            if isinstance(item, Frame):
                n_frames += 1
                if with_guides:
                    guides.of(item)
    if with_guides and guides.n_by_grid:
        raise SystemExit(f"{guides.n_by_grid} of {n_frames} frames of {path.name} have no partition: nothing to time")
    return n_frames


def parse_rows(case: Case, stream: Stream, rounds: int) -> Iterator[report.Row]:
    """Time the parser alone, on one thread."""
    n_whole = stream.parse()
    if n_whole != len(stream.packets):
        raise SystemExit(f"{n_whole} of {len(stream.packets)} pictures of {case.name} are whole: nothing to time")
    for clock_name, clock in (("wall clock", time.perf_counter), ("processor time", time.thread_time)):
        seconds = [timed(stream.parse, clock) for _ in range(rounds)]
        for unit, amount in (("frames/s", len(stream.packets)), ("Mbit/s", stream.n_bits / 1e6)):
            timing = report.Timing.of(amount / taken for taken in seconds)
            yield report.row(case.name, f"1 core, {clock_name}", "parse", unit, timing, PACKAGES)


def timed(run: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return seconds that one run takes by a clock."""
    start = clock()
    run()
    return clock() - start


def decoding_rows(case: Case, stream: Stream, rounds: int) -> Iterator[report.Row]:
    """Time decoding with and without partitions and maps, one after the other in every round."""
    runs = {False: "decode", True: "decode, parse, map"}
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for number in range(rounds + 1):
        for with_guides, taken in seconds.items():
            spent = timed(lambda with_guides=with_guides: read_frames(stream.path, with_guides), time.perf_counter)  # type: ignore[misc]
            if number:  # the first round warms up
                taken.append(spent)
    provider = f"{THREADS} cores"
    for with_guides, metric in runs.items():
        timing = report.Timing.of(len(stream.packets) / taken for taken in seconds[with_guides])
        yield report.row(case.name, provider, metric, "frames/s", timing, PACKAGES)
    ratios = report.Timing.of(with_ / without for without, with_ in zip(*seconds.values(), strict=True))
    yield report.row(case.name, provider, "time, against decode alone", "ratio", ratios, PACKAGES)


def start_rows(case: Case, stream: Stream, starts: int, folder: Path) -> Iterator[report.Row]:
    """Time a new process from the parser's import to its first pictures: compiling, and with the cache filled."""
    cold, warm = [], []
    for number in range(starts):
        cache = folder / f"cache{number}"
        cold.append(start_s(stream, cache))
        warm += [start_s(stream, cache) for _ in range(2)]
    for name, seconds in (("empty cache", cold), ("filled cache", warm)):
        timing = report.Timing.of(seconds)
        yield report.row(case.name, name, f"start, first {FIRST_PICTURES} pictures", "s", timing, PACKAGES)


def start_s(stream: Stream, cache: Path) -> float:
    """Start a process and return the seconds that it says."""
    command = [sys.executable, "-c", START, str(stream.path), str(FIRST_PICTURES)]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(command, cwd=report.ROOT, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def bench(config: BenchConfig) -> Iterator[report.Row]:
    """Measure every case; maps and starts on the first one of each size."""
    with tempfile.TemporaryDirectory() as folder:
        seen: set[tuple[tuple[int, int], str]] = set()
        for case in CASES:
            stream = make_stream(case, config.clip, Path(folder))
            yield from parse_rows(case, stream, config.rounds)
            if (kind := (case.size, case.configuration)) not in seen:
                seen.add(kind)
                yield from decoding_rows(case, stream, config.rounds)
            if case is CASES[0]:
                yield from start_rows(case, stream, config.starts, Path(folder))


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=BenchConfig.clip, help="720p, to code [apple_orchard]")
    parser.add_argument("--rounds", type=int, default=BenchConfig.rounds, help="[%(default)s]")
    parser.add_argument("--starts", type=int, default=BenchConfig.starts, help="with an empty cache [%(default)s]")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to add to [%(default)s]")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure and add rows to the CSV."""
    config = parse_args(argv)
    if not config.clip.exists():
        print(f"bench_partition: nothing measured, {config.clip} is missing; name a clip:  --clip my_720p_clip.mkv")
        return 0 if config == BenchConfig() else 3
    rows = []
    for row in bench(config):
        print(f"{row.case:40} {row.provider:24} {row.metric:28} {row.median:9.4g} {row.unit}", flush=True)
        rows.append(row)
    report.append_rows(config.output, rows)  # all, or none
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
