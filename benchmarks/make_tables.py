"""Write the tables of README.md and docs/ from the committed results.

$ python benchmarks/make_tables.py
"""

import csv
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report

RESULTS = report.ROOT / "benchmarks" / "results"
PAGES = ("README.md", "weights/live.md")


def rows_of(name: str) -> list[dict[str, str]]:
    """Read a results file."""
    with (RESULTS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def gains_table() -> str:
    """Return the gain of the default network on every test clip."""
    rows = rows_of("gains_live_qp37.csv")
    lines = [
        "| clip | frames | decoded, dB | gain, dB | gain, SSIM e-4 | written file, dB |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['clip']} | {row['frames']} | {float(row['psnr_db']):.2f} | {float(row['delta_psnr_db']):+.3f} | "
        f"{1e4 * float(row['delta_ssim']):+.0f} | {float(row['written_delta_psnr_db']):+.3f} |"
        for row in rows
    ]
    means = [
        fmean(float(row[name]) for row in rows) for name in ("delta_psnr_db", "delta_ssim", "written_delta_psnr_db")
    ]
    n_frames = sum(int(row["frames"]) for row in rows)
    lines.append(f"| **mean** | {n_frames} | | **{means[0]:+.3f}** | **{1e4 * means[1]:+.0f}** | **{means[2]:+.3f}** |")
    return "\n".join([*lines, "", f"{rows[0]['machine']}; {rows[0]['backend']}; commit {rows[0]['git_sha']}."])


def qps_table() -> str:
    """Return the mean and the worst gain of the default network at each QP."""
    lines = ["| QP | mean gain, dB | worst clip, dB | mean gain, SSIM e-4 |", "|---|---|---|---|"]
    for path in sorted(RESULTS.glob("gains_live_qp*.csv")):
        rows = rows_of(path.name)
        gains = [float(row["delta_psnr_db"]) for row in rows]
        ssim = fmean(float(row["delta_ssim"]) for row in rows)
        lines.append(f"| {path.stem[-2:]} | {fmean(gains):+.3f} | {min(gains):+.3f} | {1e4 * ssim:+.0f} |")
    return "\n".join(lines)


def speed_table() -> str:
    """Return engines and whole streams, newest run of each case."""
    latest = {(row["case"], row["provider"], row["metric"]): row for row in rows_of("stream.csv")}
    lines = [
        "| network, size | engine | ms a frame | times ONNX Runtime | times torch | stream, frames/s | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for case, provider in dict.fromkeys((case, provider) for case, provider, _ in latest):
        own = {metric: float(row["median"]) for (c, p, metric), row in latest.items() if (c, p) == (case, provider)}
        if "engine" not in own:
            continue
        others = [latest.get((case, other, "engine")) for other in ("onnxruntime fp32", "torch eager fp32")]
        ratios = [f"{float(other['median']) / own['engine']:.2f}" if other else "" for other in others]
        stream = [
            f"{own[metric]:{form}}" if metric in own else ""
            for metric, form in (("stream", ".1f"), ("peak memory", ".0f"))
        ]
        lines.append(f"| {case} | {provider} | {own['engine']:.1f} | {' | '.join([*ratios, *stream])} |")
    last = list(latest.values())[-1]
    return "\n".join([*lines, "", f"{last['machine']}; {last['versions']}; commit {last['git_sha']}, {last['date']}."])


TABLES: dict[str, Callable[[], str]] = {"gains": gains_table, "qps": qps_table, "speed": speed_table}


def filled(page: str) -> str:
    """Return a page with what stands between its table marks made anew."""

    def table(match: "re.Match[str]") -> str:
        return f"<!-- table {match[1]} -->\n{TABLES[match[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table (\w+) -->\n.*?<!-- end -->", table, page, flags=re.DOTALL)


def main() -> int:
    """Rewrite every page."""
    for name in PAGES:
        path = report.ROOT / name
        path.write_text(filled(path.read_text()))
        print(path.relative_to(report.ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
