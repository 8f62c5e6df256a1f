"""The tables of docs/networks.md that table4.py measures: counts, speed and memory, and ratios to TGAFNet.

Each returns NOT_MEASURED while the results it is made from are not there.
"""

import csv
from collections.abc import Callable, Iterable

from benchmarks import report
from benchmarks.mganet_tables import Row, markdown, once_measured
from benchmarks.network_speed import WAYS
from benchmarks.networks_table import ROWS
from benchmarks.own_process import NOT_MEASURED as REASON  # the column that says why

RESULTS = report.ROOT / "benchmarks" / "results"
SIZES = ("416x240", "832x480", "1280x720")
MEMORY_SIZE = SIZES[-1]
SHIPPED = ("live", "live_int8", "mganet_slim_ai", "mganet_slim_ai_int8")
TGAFNET = "tgafnet"
# TGAFNet, Table IV: frames/s on one RTX 3090 at each size, and "FLOPs" in G at 416x240
PUBLISHED = {
    "stdf_r3l": (dict(zip(SIZES, (37.03, 17.37, 4.24), strict=True)), 83.5),
    "rfda": (dict(zip(SIZES, (32.14, 15.41, 3.74), strict=True)), 56.8),
    "cf_stif": (dict(zip(SIZES, (26.32, 9.16, 2.05), strict=True)), 194.6),
    TGAFNET: (dict(zip(SIZES, (28.54, 11.00, 2.43), strict=True)), 143.2),
}
Cells = dict[tuple[str, str, str], Row]  # by label, size and way


def cells() -> Cells:
    """Read the results."""
    with (RESULTS / "table4.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["label"], f"{row['width']}x{row['height']}", row["way"]): row for row in rows}


@once_measured
def table4() -> str:
    """Return every network of the registry and every shipped one: counts, frames a second, memory.

    Networks that were measured from other files are left out: they are for charts.
    """
    found = cells()
    labels = [label for label in dict.fromkeys(label for label, _, _ in found) if _is_shown(label)]
    heads = ["network", "parameters", "GMAC", "thop, G", *(f"{size}, frames/s" for size in SIZES)]
    lines = [_line(label, found) for label in labels]
    return "\n".join([markdown([*heads, f"MB at {MEMORY_SIZE}"], lines), "", *_notes(labels, found)])


@once_measured
def ratios() -> str:
    """Return how many times TGAFNet's frames a second others reach: published, by torch eager, by ours."""
    found = cells()
    heads = [f"{size}: {way}" for size in SIZES for way in ("published", "torch", "ours")]
    lines = []
    for label, (frames_per_s, thop_g) in PUBLISHED.items():
        columns = [label, f"{thop_g} / {_thop_g(found, label)}"]
        for size in SIZES:
            columns.append(f"{frames_per_s[size] / PUBLISHED[TGAFNET][0][size]:.2f}")
            columns += [_ratio(found, size, way, label, TGAFNET) for way in WAYS]
        lines.append(columns)
    return markdown(["network", "thop, G: published / ours", *heads], lines)


def _is_shown(label: str) -> bool:
    return label in SHIPPED or label.partition(":")[0] in {row.name for row in ROWS}


def _line(label: str, found: Cells) -> list[str]:
    first = next(row for (name, _, _), row in found.items() if name == label)
    counts = [f"{int(first['parameters']):,}"]
    counts += [f"{int(first[f'{name}_416x240']) / 1e9:.2f}" for name in ("macs", "thop_macs")]
    speeds = [_pair(found, label, size) for size in SIZES]
    memory = " / ".join(_number(found, label, MEMORY_SIZE, way, "peak_memory_mb", ",.0f") for way in WAYS)
    return [f"`{label}`", *counts, *speeds, memory]


def _pair(found: Cells, label: str, size: str) -> str:
    pair = " / ".join(_number(found, label, size, way, "frames_per_s", ".3g") for way in WAYS)
    eager, best = (_value(found, label, size, way, "frames_per_s") for way in WAYS)
    return f"{pair} ({best / eager:.1f}x)" if eager and best else pair


def _ratio(found: Cells, size: str, way: str, label: str, other: str) -> str:
    ours, theirs = (_value(found, each, size, way, "frames_per_s") for each in (label, other))
    return f"{ours / theirs:.2f}" if ours and theirs else "–"


def _thop_g(found: Cells, label: str) -> str:
    counts = {int(row["thop_macs_416x240"]) for (name, _, _), row in found.items() if name == label}
    return "–" if not counts else f"{max(counts) / 1e9:.1f}"


def _number(found: Cells, label: str, size: str, way: str, column: str, form: str) -> str:
    value = _value(found, label, size, way, column)
    return "–" if value is None else f"{value:{form}}"


def _value(found: Cells, label: str, size: str, way: str, column: str) -> float | None:
    row = found.get((label, size, way))
    return float(row[column]) if row and row[column] else None


def _notes(labels: Iterable[str], found: Cells) -> list[str]:
    """Say what is missing and why, and where, by what and when all else was measured."""
    shown = [row for (label, _, _), row in found.items() if label in set(labels)]
    failed = [
        f"`{row['label']}` {row['width']}x{row['height']} {row['way']}: {row[REASON]}" for row in shown if row[REASON]
    ]
    absent = [row.name for row in ROWS if row.name not in labels]
    absent += [size for size in SIZES if not any(size == of for _, of, _ in found)]
    missing = [
        *([f"Not measured: {', '.join(dict.fromkeys(absent))}."] if absent else []),
        *(f"{each}." for each in failed),
    ]
    computed = [_listed(row["computed_by"] for row in shown if row["way"] == way) for way in WAYS]
    where = _listed(f"{row['machine']}; commit {row['git_sha']}, {row['date']}" for row in shown if row["date"])
    measured = f"{computed[0]} / {computed[1]}; {where}; {_listed(row['versions'] for row in shown)}."
    return [" ".join([*missing, measured])]


def _listed(values: Iterable[str]) -> str:
    return ", ".join(value for value in dict.fromkeys(values) if value)


TABLES: dict[str, Callable[[], str]] = {"table4": table4, "table4_ratios": ratios}
