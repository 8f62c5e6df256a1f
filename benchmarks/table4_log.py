"""Everything table4.py has measured, kept line by line so that a stopped run can go on, and its rows.

table4.jsonl: a line for each process, with the times of all its frames  ->  table4.csv: a row for each cell
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.network_speed import size_of
from benchmarks.own_process import NOT_MEASURED, Outcome
from benchmarks.report import Timing
from benchmarks.table4_cells import Cell
from benchmarks.table4_networks import Subject
from runtime.machine import nvidia_gpus

Line = Mapping[str, Any]
Key = tuple[str, str, str, str]  # label, checksum of its file, size, way


class TimesLog:
    """The lines of one run, or of one that goes on."""

    def __init__(self, path: Path, is_resumed: bool) -> None:
        """Begin a log, or go on with what this machine has measured at this commit before; failures are tried again."""
        self._path = path
        self._here = {"machine": "; ".join([report.machine(), *nvidia_gpus()[0]]), "git_sha": report.git_sha()}
        self._lines = [line for line in _read(path) if self._is_ours(line)] if is_resumed else []
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(line)}\n" for line in self._lines))

    def _is_ours(self, line: Line) -> bool:
        return all(line[name] == value for name, value in self._here.items()) and NOT_MEASURED not in line

    def add(self, cell: Cell, outcome: Outcome) -> None:
        """Write what one process has measured."""
        label, sha256, size, way = key_of(cell)
        what = {"label": label, "sha256": sha256, "size": size, "way": way}
        line = {**what, **outcome, **self._here, "date": datetime.now(UTC).date().isoformat()}
        self._lines.append(line)
        with self._path.open("a") as file:
            file.write(f"{json.dumps(line)}\n")

    def of(self, cell: Cell) -> list[Line]:
        """Return the lines of one cell, a line a round."""
        key = key_of(cell)
        return [line for line in self._lines if (line["label"], line["sha256"], line["size"], line["way"]) == key]


def key_of(cell: Cell) -> Key:
    """Return what tells a cell from all others, those of an older file of the same label included."""
    return cell.subject.label, cell.subject.file.sha256, cell.size, cell.way


def n_frames(lines: Iterable[Line]) -> int:
    """Return how many frames were timed."""
    return sum(len(line.get("times_ms", ())) for line in lines)


def row_of(cell: Cell, lines: Sequence[Line]) -> dict[str, Any]:
    """Return a cell's row: medians over the frames of all rounds, the largest of the memory; or why there are none."""
    width, height = size_of(cell.size)
    failed = [line[NOT_MEASURED] for line in lines if NOT_MEASURED in line]
    measured = {} if failed else _measured(lines)
    columns = ("computed_by", "frames", "p20_ms", "median_ms", "p80_ms", "frames_per_s", "peak_memory_mb")
    return {
        **_about(cell.subject),
        "width": width,
        "height": height,
        "way": cell.way,
        **{name: measured.get(name, "") for name in columns},
        "rounds": len(lines) - len(failed),
        NOT_MEASURED: failed[0] if failed else "",
        **{name: lines[-1].get(name, "") for name in ("machine", "versions", "git_sha", "date")},
    }


def _about(subject: Subject) -> dict[str, Any]:
    manifest, counts = subject.file.manifest, asdict(subject.counts)
    of_frame = {f"{name}_416x240": counts[name] for name in ("macs", "thop_macs")}
    options = json.dumps(manifest.options)
    about = {"label": subject.label, "network": manifest.network, "options": options}
    return {**about, "precision": manifest.precision, "parameters": counts["parameters"], **of_frame}


def _measured(lines: Sequence[Line]) -> dict[str, Any]:
    timing = Timing.of(time_ms for line in lines for time_ms in line["times_ms"])
    peaks_mb = [line["peak_memory_mb"] for line in lines if line["peak_memory_mb"] is not None]
    return {
        "computed_by": "; ".join(dict.fromkeys(line["computed_by"] for line in lines)),
        "frames": n_frames(lines),
        **{f"{name}_ms": f"{value:.4g}" for name, value in asdict(timing).items()},
        "frames_per_s": f"{1000 / timing.median:.4g}",
        "peak_memory_mb": f"{max(peaks_mb):.0f}" if peaks_mb else "",
    }


def _read(path: Path) -> list[Line]:
    """Read the lines of a log; the last one may have been cut off by what stopped the run."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
