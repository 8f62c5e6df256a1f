"""Count and time every network: parameters, MACs, frames a second and memory, by torch eager and by our best backend.

$ python benchmarks/table4.py
$ python benchmarks/table4.py --resume
$ python benchmarks/table4.py --networks stdf_r3 live --onnx mine=out/mine.onnx --sizes 416x240 --output out/table4.csv

A network is the shipped one of this name, or has made-up weights, with offsets of some pixels: speed does not depend on
what they are. Every network, size and way of computing is measured in a process of its own, for its peak memory; all of
them in turns, a few rounds, and medians are taken over the frames of all rounds: a slow spell of the machine meets all.
Guided maps are of a fixed grid. What can't be measured gets a row that says why. With --resume a run that was stopped
goes on, where the machine and the commit are the same; other networks are added so, too: name all of them.
"""

import argparse
import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.own_process import NOT_MEASURED
from benchmarks.table4_cells import Cell, Computing, cells_of, outcome_of, summary
from benchmarks.table4_log import TimesLog, n_frames, row_of
from benchmarks.table4_networks import DEFAULT_LABELS, LABELS, subjects_of
from cvqe.errors import BackendError, CvqeError, ExitCode, UsageError
from runtime.gpu_presence import gpu_obstacle

MIN_FRAMES = 3  # of every cell, over all rounds


@dataclass(frozen=True)
class Table4Config:
    """What to measure, and where files and results go."""

    networks: tuple[str, ...] = DEFAULT_LABELS
    onnx: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ("416x240", "832x480", "1280x720")
    rounds: int = 2
    seconds: float = Computing.seconds
    limit: float = Computing.limit_s
    device: str = "auto"
    threads: int = Computing.threads
    folder: Path = report.ROOT / "out" / "table4"
    output: Path = report.ROOT / "benchmarks" / "results" / "table4.csv"
    resume: bool = False


def measure(cells: Sequence[Cell], log: TimesLog, computing: Computing, rounds: int) -> None:
    """Go through all cells, round after round; one that failed is not tried again."""
    for number in range(rounds):
        for cell in cells:
            lines = log.of(cell)
            if len(lines) > number or any(NOT_MEASURED in line for line in lines):
                continue
            lacking = MIN_FRAMES - n_frames(lines)
            outcome = outcome_of(cell, computing, max(1, math.ceil(lacking / (rounds - number))))
            log.add(cell, outcome)
            print(f"{number + 1}/{rounds} {cell}: {summary(outcome)}", file=sys.stderr, flush=True)


def device_of(wanted: str) -> str:
    """Return cpu or cuda; auto is cuda where there is a GPU.

    Raises:
        BackendError: there is none, and one is asked for.
    """
    obstacle = gpu_obstacle()
    if wanted == "cuda" and obstacle is not None:
        raise BackendError(f"--device cuda can't be used: {obstacle or 'there is no GPU'}. Choose --device cpu.")
    return ("cuda" if obstacle is None else "cpu") if wanted == "auto" else wanted


def check(config: Table4Config) -> None:
    """Refuse what would measure nothing.

    Raises:
        UsageError: no network, less than one round, or no time.
    """
    if not (config.networks or config.onnx):
        raise UsageError("no network is named; give --networks NAME or --onnx LABEL=FILE, or leave both out for all.")
    if config.rounds < 1 or config.seconds < 0 or config.limit <= 0:
        raise UsageError(
            f"--rounds {config.rounds} --seconds {config.seconds:g} --limit {config.limit:g} measures nothing; "
            "at least one round, and times above zero, were expected."
        )


def parse_args(argv: list[str] | None = None) -> Table4Config:
    """Read the command line; unset options keep Table4Config's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Table4Config
    told = f"of {' '.join(LABELS)}; none: those of --onnx alone [all but mganet's other radii]"
    parser.add_argument("--networks", nargs="*", default=default.networks, help=told)
    parser.add_argument("--onnx", nargs="+", default=default.onnx, metavar="LABEL=FILE", help="more networks, exported")
    parser.add_argument("--sizes", nargs="+", default=default.sizes, help=f"[{' '.join(default.sizes)}]")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="through all of them [%(default)s]")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of each, in a round [%(default)s]")
    parser.add_argument("--limit", type=float, default=default.limit, help="seconds for a process [%(default)s]")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=default.device, help="[%(default)s]")
    parser.add_argument("--threads", type=int, default=default.threads, help="0: every processor [%(default)s]")
    parser.add_argument("--folder", type=Path, default=default.folder, help="for exports and times [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write [%(default)s]")
    parser.add_argument("--resume", action="store_true", help="keep what was measured before")
    return Table4Config(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write the CSV; our own errors become one message and an exit code."""
    config = parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="table4: %(message)s", stream=sys.stderr)
    logging.getLogger("benchmarks").setLevel(logging.INFO)  # exports; the exporter's own words are not for the reader
    try:
        check(config)
        computing = Computing(device_of(config.device), config.threads, config.seconds, config.limit)
        cells = cells_of(subjects_of(config.networks, config.onnx, config.folder), config.sizes)
        log = TimesLog(config.folder / f"{config.output.stem}.jsonl", config.resume)
        measure(cells, log, computing, config.rounds)
    except CvqeError as error:
        print(f"table4: {error}", file=sys.stderr)
        return error.exit_code
    rows = [row_of(cell, log.of(cell)) for cell in cells]
    report.write_rows(config.output, rows)
    print(config.output)
    return ExitCode.PARTIAL if any(row[NOT_MEASURED] for row in rows) else ExitCode.DONE


if __name__ == "__main__":
    raise SystemExit(main())
