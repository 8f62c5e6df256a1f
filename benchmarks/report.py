"""Timings and rows that every benchmark shares: interleaved rounds, medians, one CSV schema."""

import csv
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Timing:
    """The middle of many measurements, and how far they spread."""

    p20: float
    median: float
    p80: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> "Timing":
        """Take quantiles; each is one of the numbers."""
        ordered = sorted(numbers)
        return cls(*(ordered[round(share * (len(ordered) - 1))] for share in (0.2, 0.5, 0.8)))


@dataclass(frozen=True)
class Row:
    """One line of a results file; `row` fills in where and when."""

    case: str
    provider: str
    metric: str
    unit: str
    p20: float
    median: float
    p80: float
    machine: str
    versions: str
    git_sha: str
    date: str


def row(case: str, provider: str, metric: str, unit: str, timing: Timing, packages: Iterable[str] = ()) -> Row:
    """Return a row for this machine and commit, now; `packages` are the distributions whose version matters."""
    p20, median, p80 = (float(f"{number:.4g}") for number in (timing.p20, timing.median, timing.p80))
    date = datetime.now(UTC).date().isoformat()
    return Row(case, provider, metric, unit, p20, median, p80, machine(), versions(packages), git_sha(), date)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a new CSV of rows with the same columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Add rows to a CSV, which is begun with a header where it does not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row_) for row_ in rows)


def interleaved_ms(cases: dict[str, Callable[[], object]], rounds: int, warm_ups: int = 2) -> dict[str, Timing]:
    """Time each case once a round, so that whatever else the machine does meets all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(warm_ups + rounds):
        for name, run in cases.items():
            start = time.perf_counter()
            run()
            if number >= warm_ups:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: Timing.of(numbers) for name, numbers in times.items()}


def table(timings: dict[str, Timing], unit: str = "ms") -> str:
    """Return timings as text, one line each."""
    return "\n".join(
        f"{name:32} {timing.median:9.2f} {unit}   ({timing.p20:.2f} to {timing.p80:.2f})"
        for name, timing in timings.items()
    )


def machine() -> str:
    """Return the processor's name and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {n_cores} cores"


def versions(packages: Iterable[str]) -> str:
    """Return the installed versions of distributions."""
    return " ".join(f"{package}={metadata.version(package)}" for package in packages)


def git_sha() -> str:
    """Return the short commit, with a plus where the tree differs from it; "unknown" outside a repository."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
