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

from benchmarks import (
    calibration_tables,
    comparison_tables,
    inputs_table,
    mganet_tables,
    networks_table,
    report,
    sensitivity_table,
    streaming_tables,
    table4_tables,
)

RESULTS = report.ROOT / "benchmarks" / "results"
DEFAULT, MAIN_QP = "live", 37
LOW_DELAY = ("ldp", "ldp-hm")
PAGES = (
    "README.md",
    "weights/live.md",
    "docs/training.md",
    "docs/parity.md",
    "docs/mganet.md",
    "docs/networks.md",
    "docs/comparison.md",
    "docs/streaming.md",
    "docs/inputs.md",
    "docs/calibration.md",
    "weights/mganet_slim.md",
    "plugins/deform_conv/README.md",
)


def rows_of(name: str) -> list[dict[str, str]]:
    """Read a results file."""
    with (RESULTS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def gains_of(network: str, configuration: str, qp: int | None = None) -> list[dict[str, str]]:
    """Return the rows of one network and coding configuration, at one QP or at all."""
    rows = rows_of("evaluation/results.csv")
    wanted = {"configuration": configuration, **({} if qp is None else {"qp": str(qp)})}
    # a subject's name goes on with its backend and precision
    own = [row for row in rows if row["subject"].split()[0] == network]
    return [row for row in own if all(row[name] == value for name, value in wanted.items())]


def gains_table() -> str:
    """Return the gain of the default network on every test clip, in both low-delay configurations."""
    columns = [gains_of(DEFAULT, configuration, MAIN_QP) for configuration in LOW_DELAY]
    of_clip = [{row["clip"]: [row] for row in rows} for rows in columns]
    lines = [
        "| clip | frames | ldp: decoded, dB | gain, dB | SSIM, e-4 | ldp-hm: decoded, dB | gain, dB | SSIM, e-4 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in columns[0]:
        cells = [decoded_and_gain(rows.get(row["clip"], [])) for rows in of_clip]
        lines.append(f"| {row['clip']} | {row['frames']} | {' | '.join(cells)} |")
    n_frames = sum(int(row["frames"]) for row in columns[0])
    lines.append(f"| **mean** | {n_frames} | {' | '.join(decoded_and_gain(rows) for rows in columns)} |")
    first = columns[0][0]
    where = f"{first['machine']}; {first['backend']} {first['precision']}; commit {first['git_sha']}."
    return "\n".join([*lines, "", where])


def decoded_and_gain(rows: list[dict[str, str]]) -> str:
    """Return mean PSNR before, delta PSNR and delta SSIM as three cells; empty where nothing was measured."""
    if not rows:
        return " | | "
    return f"{fmean(float(row['psnr_db_decoded']) for row in rows):.2f} | {gain_cells(rows)}"


def gain_cells(rows: list[dict[str, str]]) -> str:
    """Return mean delta PSNR and mean delta SSIM as two cells."""
    psnr, ssim = (fmean(float(row[name]) for row in rows) for name in ("delta_psnr_db", "delta_ssim"))
    return f"{psnr:+.3f} | {1e4 * ssim:+.0f}"


def qps_table() -> str:
    """Return the mean and the worst gain of the default network at each QP."""
    heads = [f"{configuration}: mean, dB | worst clip, dB | SSIM, e-4" for configuration in LOW_DELAY]
    lines = [f"| QP | {' | '.join(heads)} |", f"|---|{'---|' * 3 * len(LOW_DELAY)}"]
    for qp in sorted({int(row["qp"]) for row in gains_of(DEFAULT, LOW_DELAY[0])}):
        cells = []
        for configuration in LOW_DELAY:
            rows = gains_of(DEFAULT, configuration, qp)
            if not rows:
                cells.append(" | | ")
                continue
            psnr, ssim = gain_cells(rows).split(" | ")
            cells.append(f"{psnr} | {min(float(row['delta_psnr_db']) for row in rows):+.3f} | {ssim}")
        lines.append(f"| {qp} | {' | '.join(cells)} |")
    return "\n".join(lines)


def peers_table() -> str:
    """Return what everything that was measured gains at the main QP, low-delay P."""
    rows = [
        row
        for row in rows_of("evaluation/results.csv")
        if (row["configuration"], row["qp"]) == (LOW_DELAY[0], str(MAIN_QP))
    ]
    lines = ["| | gain, dB | worst clip, dB | SSIM, e-4 | clips | frames of each |", "|---|---|---|---|---|---|"]
    for subject in dict.fromkeys(row["subject"] for row in rows):
        own = [row for row in rows if row["subject"] == subject]
        psnr, ssim = gain_cells(own).split(" | ")
        worst = min(float(row["delta_psnr_db"]) for row in own)
        frames = own[0]["first_frames"] or "all"
        lines.append(f"| {subject} | {psnr} | {worst:+.3f} | {ssim} | {len(own)} | {frames} |")
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
    newest = {row["case"].split()[0]: row for row in latest.values()}
    where = "; ".join(f"{network} at commit {row['git_sha']}, {row['date']}" for network, row in newest.items())
    last = list(newest.values())[-1]
    return "\n".join([*lines, "", f"{last['machine']}; {last['versions']}; {where}."])


def neighbors_table() -> str:
    """Return what aligned neighbors are worth without a network, the mean over clips."""
    gains: dict[str, dict[str, list[float]]] = {}
    rows = rows_of("neighbors.csv")
    for row in rows:
        by_filter = gains.setdefault(row["neighbors"], {})
        by_filter.setdefault(row["interpolation"], []).append(float(row["gain_db"]))
    lines = ["| frames beside the target | bilinear, dB | cubic, dB |", "|---|---|---|"]
    lines += [
        f"| {neighbors} | {fmean(found['linear']):+.3f} | {fmean(found['cubic']):+.3f} |"
        for neighbors, found in gains.items()
    ]
    return "\n".join([*lines, "", f"{rows[0]['machine']}; commit {rows[0]['git_sha']}."])


def parity_table() -> str:
    """Return how far each backend is from torch in float32, and why the others were not measured."""
    rows = rows_of("parity.csv")
    heads = ("network", "backend", "bits", "largest difference", "PSNR, dB", "loss of gain, dB")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    reasons: dict[str, list[str]] = {}
    for row in rows:
        cells = [row[name] for name in ("largest_difference", "psnr_db", "loss_db")]
        if row["not_run"]:
            cells = ["not run", "", ""]
            named = reasons.setdefault(row["not_run"].partition(", so ")[0], [])
            named += [row["provider"]] * (row["provider"] not in named)
        lines.append(f"| {row['network']} | {row['provider']} | {row['bits']} | {' | '.join(cells)} |")
    lines += ["", *(f"Not run: {', '.join(names)} ({reason})." for reason, names in reasons.items())]
    measured = [row for row in rows if not row["not_run"]]
    whats = {f"{row['network']}: {row['frames']} frames of {row['size']}" for row in measured}
    wheres = {f"{row['machine']}, commit {row['git_sha']}, {row['date']}" for row in measured}
    versions = sorted({version for row in measured for version in row["versions"].split()})
    return "\n".join([*lines, f"{'; '.join(sorted(whats))}. {'; '.join(sorted(wheres))}; {', '.join(versions)}."])


def coordinates_table() -> str:
    """Return what each number type of a deformable convolution costs, over all columns and those far to the right."""
    rows = rows_of("coordinates.csv")
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    lines = [f"| | {' | '.join(schemes)} |", f"|---|{'---|' * len(schemes)}"]
    for case in dict.fromkeys(row["case"] for row in rows):
        cells = [f"{row['psnr_db']} ({row['far_psnr_db']})" for row in rows if row["case"] == case]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    last = rows[-1]
    what = f"{last['rows']} rows of {last['size']}"
    return "\n".join([*lines, "", f"{what}; {last['machine']}; {last['versions']}; commit {last['git_sha']}."])


def kernels_table() -> str:
    """Return what the kernels that engines carry take of each kind of GPU."""
    rows = [row for row in rows_of("kernel_compile.csv") if row["inputs"] in ("packed", "mask none")]
    aligned = [
        row for row in rows if row["entry"] == "aligned" and (row["inputs"] == "mask none" or row["dtype"] == "fp16")
    ]
    capabilities = list(dict.fromkeys(row["compute_capability"] for row in aligned))
    lines = [f"| | {' | '.join(f'sm_{each}' for each in capabilities)} |", f"|---|{'---|' * len(capabilities)}"]
    for case in dict.fromkeys(row["case"] for row in aligned):
        of_case = [row for row in aligned if row["case"] == case]
        cells = [f"{row['registers']} / {row['blocks_by_registers']} / {row['instructions']}" for row in of_case]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    every = rows_of("kernel_compile.csv")
    spilled = {
        entry: max(int(row["spill_bytes"]) for row in every if row["entry"] == entry)
        for entry in ("aligned", "general")
    }
    told = "; ".join(f'"{entry}" spills {most} bytes at most' for entry, most in spilled.items())
    what = f"{len(every)} kernels: {told}. {every[0]['versions']}; commit {every[0]['git_sha']}."
    return "\n".join([*lines, "", what])


TABLES: dict[str, Callable[[], str]] = {
    "gains": gains_table,
    "qps": qps_table,
    "peers": peers_table,
    "speed": speed_table,
    "neighbors": neighbors_table,
    "parity": parity_table,
    "coordinates": coordinates_table,
    "kernels": kernels_table,
    **mganet_tables.TABLES,
    **streaming_tables.TABLES,
    **inputs_table.TABLES,
    **calibration_tables.TABLES,
    **sensitivity_table.TABLES,
    **networks_table.TABLES,
    **comparison_tables.TABLES,
    **table4_tables.TABLES,
}


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
