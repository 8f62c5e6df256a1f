"""The tables of docs/streaming.md."""

import csv

from benchmarks import report

RESULTS = report.ROOT / "benchmarks" / "results"
FORMS = {"share": "{:.1%}", "frames": "{:.0f}", "ms": "{:.3f} ms", "dB": "{:+.3f} dB"}


def scene_cuts_table() -> str:
    """Return how well cuts are told, what that costs and what it gains; of the latest run."""
    with (RESULTS / "scene_cuts.csv").open(newline="") as file:
        latest = {(row["case"], row["provider"], row["metric"]): row for row in csv.DictReader(file)}
    lines = ["| on | what | |", "|---|---|---|"]
    for (case, provider, metric), row in latest.items():
        what = metric if provider == "detector" else f"{metric}: {provider}"
        lines.append(f"| {case} | {what} | {FORMS[row['unit']].format(float(row['median']))} |")
    last = row
    return "\n".join([*lines, "", f"{last['machine']}; {last['versions']}; commit {last['git_sha']}, {last['date']}."])


TABLES = {"scene_cuts": scene_cuts_table}
