"""The tables of docs/streaming.md."""

import csv

from benchmarks import report

RESULTS = report.ROOT / "benchmarks" / "results"
FORMS = {"share": "{:.1%}", "frames": "{:.0f}", "ms": "{:.3f} ms", "dB": "{:+.3f} dB"}


def scene_cuts_table() -> str:
    """Return how well cuts are told, what that costs and what it gains."""
    with (RESULTS / "scene_cuts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["| on | what | |", "|---|---|---|"]
    for row in rows:
        what = row["metric"] if row["provider"] == "detector" else f"{row['metric']}: {row['provider']}"
        lines.append(f"| {row['case']} | {what} | {FORMS[row['unit']].format(float(row['median']))} |")
    last = rows[-1]
    return "\n".join([*lines, "", f"{last['machine']}; {last['versions']}; commit {last['git_sha']}, {last['date']}."])


TABLES = {"scene_cuts": scene_cuts_table}
