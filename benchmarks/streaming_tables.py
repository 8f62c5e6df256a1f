"""The tables of docs/streaming.md."""

import csv
from collections.abc import Sequence

from benchmarks import report

RESULTS = report.ROOT / "benchmarks" / "results"
FORMS = {"share": "{:.1%}", "frames": "{:.0f}", "ms": "{:.3f} ms", "dB": "{:+.3f} dB"}
# each guard once, and what it is measured by; pairs hold several of them
SINGLE_GUARDS = {
    "scene cuts": "processors",
    "time stamps, damage, leading pictures": "processors",
    "check for NaN": "processors",
    "latency": "processors",
    "segments written": "processors",
    "read back": "time",
}
GUARD_PAIRS = {
    ("segments, in pairs", "time"): "with segments, against without: time",
    ("segments, in pairs", "processors"): "processors' time",
    ("segments, in pairs", "file size"): "file size",
    ("all guards, in pairs", "time"): "with cuts, segments and reading back, against without: time",
    ("all guards, in pairs", "processors"): "processors' time",
}
AGES = {  # metric and unit: what it is called, and how it is written
    ("median", "ms"): ("median", "{:.0f} ms"),
    ("median", "frames"): ("in frames", "{:.1f}"),
    ("95 % within", "ms"): ("95 % within", "{:.0f} ms"),
    ("longest", "ms"): ("longest", "{:.0f} ms"),
    ("lost", "share"): ("lost", "{:.1%}"),
    ("not enhanced", "share"): ("not enhanced", "{:.1%}"),
    ("median by stream.py's own count", "ms"): ("own count", "{:.0f} ms"),
}
Rows = list[dict[str, str]]


def rows_of(name: str) -> Rows:
    """Read a results file."""
    with (RESULTS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def table(heads: Sequence[str], lines: Sequence[Sequence[str]], rows: Rows) -> str:
    """Return a table, and below it where and when its rows were measured."""
    last = rows[-1]
    found = f"{last['machine']}; {last['versions']}; commit {last['git_sha']}, {last['date']}."
    return "\n".join([_line(heads), f"|{'---|' * len(heads)}", *map(_line, lines), "", found])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("  ", " ")  # an empty cell is one space


def scene_cuts_table() -> str:
    """Return how well cuts are told, what that costs and what it gains."""
    rows = rows_of("scene_cuts.csv")
    lines = []
    for row in rows:
        what = row["metric"] if row["provider"] == "detector" else f"{row['metric']}: {row['provider']}"
        lines.append((row["case"], what, FORMS[row["unit"]].format(float(row["median"]))))
    return table(("on", "what", ""), lines, rows)


def guards_table() -> str:
    """Return what each guard of a stream takes, and what all of them cost."""
    rows = rows_of("guards.csv")
    sizes = list(dict.fromkeys(row["case"] for row in rows))
    singles = {guard: [guard] for guard in SINGLE_GUARDS} | {"sum of these": list(SINGLE_GUARDS)}
    lines = [("the stream", *(f"{_median(rows, size, 'stream', 'time', 'ms/frame'):.1f} ms" for size in sizes))]
    lines += [(name, *(_taken(rows, size, guards) for size in sizes)) for name, guards in singles.items()]
    lines += [(name, *(_spread(rows, size, *pair) for size in sizes)) for pair, name in GUARD_PAIRS.items()]
    return table(("a frame", *sizes), lines, rows)


def _taken(rows: Rows, size: str, guards: Sequence[str]) -> str:
    of_unit = (
        sum(_median(rows, size, guard, SINGLE_GUARDS[guard], unit) for guard in guards)
        for unit in ("ms/frame", "share")
    )
    return "{:.3f} ms ({:.1%})".format(*of_unit)


def _spread(rows: Rows, size: str, guard: str, metric: str) -> str:
    row = _row(rows, size, guard, metric, "share")
    return f"{float(row['median']):+.1%} ({float(row['p20']):+.1%} to {float(row['p80']):+.1%})"


def latency_table() -> str:
    """Return how long frames take from the sender to the receiver."""
    rows = rows_of("live_latency.csv")
    found = {(row["case"], row["provider"], row["metric"], row["unit"]): float(row["median"]) for row in rows}
    lines = []
    for size, way in dict.fromkeys((row["case"], row["provider"]) for row in rows):
        values = [(found.get((size, way, *key)), form) for key, (_, form) in AGES.items()]
        lines.append((size, way, *("" if value is None else form.format(value) for value, form in values)))
    return table(("", "way", *(head for head, _ in AGES.values())), lines, rows)


def interlaced_table() -> str:
    """Return what interlaced clips gain, field by field and as whole frames."""
    rows = rows_of("interlaced.csv")
    gains = {(row["case"], row["provider"]): f"{float(row['median']):+.3f} dB" for row in rows}
    ways = list(dict.fromkeys(row["provider"] for row in rows))
    clips = dict.fromkeys(row["case"] for row in rows)
    return table(("clip", *ways), [(clip, *(gains[clip, way] for way in ways)) for clip in clips], rows)


def memory_table() -> str:
    """Return what memory streams were expected to need, and what they needed."""
    rows = rows_of("memory.csv")
    cases = dict.fromkeys((row["case"], row["provider"]) for row in rows)
    lines = [
        (
            *case,
            *(f"{_median(rows, *case, metric, 'MB'):,.0f} MB" for metric in ("expected memory", "peak memory")),
            f"{_median(rows, *case, 'expected / found', 'ratio'):.2f}",
        )
        for case in cases
    ]
    return table(("network", "backend", "expected", "peak", "ratio"), lines, rows)


def _median(rows: Rows, *key: str) -> float:
    return float(_row(rows, *key)["median"])


def _row(rows: Rows, *key: str) -> dict[str, str]:
    """Return the row of a case, provider, metric and unit."""
    return next(row for row in rows if (row["case"], row["provider"], row["metric"], row["unit"]) == key)


TABLES = {
    "scene_cuts": scene_cuts_table,
    "guards": guards_table,
    "latency": latency_table,
    "interlaced": interlaced_table,
    "memory": memory_table,
}
