"""The tables of docs/calibration.md, from what calibration/compare.py, bench_int8.py and bench_quantisers.py measured.

Each returns NOT_MEASURED while the results it is made from are not there.
"""

import csv
from collections.abc import Callable
from statistics import fmean

from benchmarks import report
from benchmarks.mganet_tables import NOT_MEASURED, Row, markdown, once_measured
from calibration.comparison_page import (
    files_table,
    groups,
    having,
    layers_table,
    loss_cell,
    losses_db,
    qps_table,
    speed_table,
)

RESULTS = report.ROOT / "benchmarks" / "results"
DEFAULT = "live"
NETWORKS = {"live": DEFAULT, "tgafnet": "tgafnet", "mganet slim": "mganet_slim"}  # by folder of results/int8
# MGANet with the ConvLSTM's gates in 16 bits, and quantised with all else
STATES = {
    "F3": ("mganet_f3", "mganet_f3_state"),
    "F5": ("mganet_f5", "mganet_f5_state"),
}


def rows_of(folder: str, name: str) -> list[Row]:
    """Read one file of a comparison."""
    with (RESULTS / "int8" / folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def where(rows: list[Row]) -> str:
    """Say what measured some rows, and when."""
    told = {f"{row['machine']}; commit {row['git_sha']}, {row['date']}" for row in rows}
    return "; ".join(sorted(told)) + "."


@once_measured
def speed_of_convolutions() -> str:
    """Return what INT8 saves, newest run of each case: convolutions alone, and whole networks."""
    with (RESULTS / "int8_speed.csv").open(newline="") as file:
        latest = {(row["case"], row["provider"], row["metric"]): row for row in csv.DictReader(file)}
    lines = []
    for case in dict.fromkeys(case for case, _, _ in latest):
        own = {(provider, metric): row for (c, provider, metric), row in latest.items() if c == case}
        before, after = (f"{float(own[f'openvino {each}', 'time']['median']):.2f}" for each in ("bf16", "int8"))
        ratio = own["openvino int8", "speedup"]
        spread = f"{float(ratio['median']):.2f} ({float(ratio['p20']):.2f} to {float(ratio['p80']):.2f})"
        lines.append([case, before, after, spread])
    last = list(latest.values())
    table = markdown(["OpenVINO", "bf16, ms", "int8, ms", "times as fast (p20 to p80)"], lines)
    return f"{table}\n\n{last[-1]['versions']}; {where(last)}"


@once_measured
def quality() -> str:
    """Return what the default network gains and loses at each QP."""
    rows = rows_of(DEFAULT, "quality")
    return f"{qps_table(rows)}\n\n{n_clips(rows)} test clips; {where(rows)}"


@once_measured
def clips() -> str:
    """Return what each clip loses at each QP, in dB of PSNR, and how steady it is: PVD / SD in dB."""
    rows = rows_of(DEFAULT, "quality")
    qps = sorted({row["qp"] for row in rows}, key=int)
    lines = []
    for (configuration, clip), own in groups(rows, "configuration", "clip"):
        cells = [clip_cell([row for row in own if row["qp"] == qp]) for qp in qps]
        lines.append([configuration, clip, *cells])
    return markdown(["coding", "clip", *(f"QP {qp}" for qp in qps)], lines)


def clip_cell(rows: list[Row]) -> str:
    """Return the loss of one coded clip; PVD / SD of float32 and of INT8; empty where it was not measured."""
    if not rows:
        return ""
    (lost,) = losses_db(rows, "int8").values()
    steady = [f"{float(row['pvd_db'] or 'nan'):.2f} / {float(row['sd_db']):.2f}" for row in rows_in_order(rows)]
    return f"{lost:+z.3f}; {' -> '.join(steady)}".replace("nan", "n/a")


def rows_in_order(rows: list[Row]) -> list[Row]:
    """Return one coded clip's rows of float32 and of INT8."""
    return [having(rows, precision)[0] for precision in ("fp32", "int8")]


@once_measured
def networks() -> str:
    """Return every network that was calibrated: what it loses, how much faster it is, how large."""
    lines = []
    for name, folder in NETWORKS.items():
        if not (RESULTS / "int8" / folder).is_dir():
            continue
        found = rows_of(folder, "quality")
        speed = [row for row in rows_of(folder, "speed") if (row["backend"], row["precision"]) == ("openvino", "int8")]
        ratios = ", ".join(f"{float(row['speedup']):.2f} ({row['size']})" for row in speed)
        sizes = " -> ".join(f"{int(row['bytes']) / 1e6:.2f}" for row in rows_of(folder, "files"))
        lines.append([name, str(n_clips(found)), *total_losses(found), ratios, sizes])
    heads = ["network", "clips", "bf16 loses, dB (worst)", "int8 loses, dB (worst)", "times bf16", "file, MB"]
    return markdown(heads, lines) if lines else NOT_MEASURED


def total_losses(rows: list[Row]) -> list[str]:
    """Return the mean loss in 16 bits and in INT8 over all codings, and that of the worst coded clip."""
    cells = []
    for precision in ("bf16", "int8"):
        lost = [each for _, own in groups(rows, "configuration", "qp") for each in losses_db(own, precision).values()]
        cells.append(f"{fmean(lost):+z.4f} ({max(lost):+z.4f})" if lost else "")
    return cells


@once_measured
def backends() -> str:
    """Return the default network's frames a second by every backend."""
    rows = rows_of(DEFAULT, "speed")
    return f"{speed_table(rows)}\n\n{where(rows)}"


@once_measured
def files() -> str:
    """Return the default network's files."""
    return files_table(rows_of(DEFAULT, "files"))


@once_measured
def layers() -> str:
    """Return the SQNR of the default network's quantised layers."""
    rows = rows_of(DEFAULT, "layers")
    return f"{layers_table(rows)}\n\n{rows[0]['windows']} windows; {where(rows)}"


@once_measured
def states() -> str:
    """Return what MGANet loses with the recurrence in 16 bits, and with it quantised."""
    lines = []
    for name, folders in STATES.items():
        found = [rows_of(folder, "quality") for folder in folders]
        gains = [fmean(float(row["delta_psnr_db"]) for row in having(rows, "fp32")) for rows in found[:1]]
        lines.append([name, f"{gains[0]:+z.3f}", *(loss_cell(rows, "int8") for rows in found)])
    heads = [
        "",
        "gain in fp32, dB",
        "state in 16 bits: lost, dB (worst clip)",
        "state quantised: lost, dB (worst clip)",
    ]
    return f"{markdown(heads, lines)}\n\n{n_clips(found[0])} test clips; {where(found[0])}"


@once_measured
def quantisers() -> str:
    """Return every way to an INT8 file that was tried: what it loses, how fast and how large it is, what it took."""
    with (RESULTS / "quantisers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    speeds = [name for name in rows[0] if name.startswith("speedup_")]
    heads = [
        "written by",
        "Q/DQ placed by",
        "convolutions",
        "lost, dB (worst clip)",
        *(f"times as fast, {name.removeprefix('speedup_')}" for name in speeds),
        "MB",
        "calibrated in, s",
        "TensorRT takes it",
    ]
    table = markdown(heads, [quantiser_cells(row, speeds) for row in rows])
    versions = sorted({word for row in rows for word in row["versions"].split()})
    return f"{table}\n\n{rows[0]['windows']} windows; {', '.join(versions)}; {where(rows)}"


@once_measured
def recovery() -> str:
    """Return what our own observers and recoveries lose."""
    with (RESULTS / "int8_recovery.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [[row["method"], loss_of(row), row["worst_clip"], row["seconds"]] for row in rows]
    table = markdown(["observer, recovery", "lost, dB (worst clip)", "worst clip", "calibrated in, s"], lines)
    return f"{table}\n\n{rows[0]['windows']} windows; {where(rows)}"


def loss_of(row: Row) -> str:
    """Return the mean loss, and the worst clip's."""
    return f"{float(row['mean_loss_db']):+z.4f} ({float(row['worst_loss_db']):+z.4f})"


def quantiser_cells(row: Row, speeds: list[str]) -> list[str]:
    """Return one way's line; a backend that is not OpenVINO is told, and what it is compared with there."""
    is_usual = row["backend"] == "openvino"
    aside = "" if is_usual else f" ({row['backend'] or 'emulated'} beside {row['compared_with'] or 'fp32'})"
    return [
        f"{row['library']}, {row['method']}",
        row["placement"],
        row["convolutions"],
        loss_of(row),
        *(f"{float(row[name]):.2f}{aside}" if row[name] else "" for name in speeds),
        f"{int(row['bytes']) / 1e6:.2f}",
        row["seconds"],
        row["tensorrt"],
    ]


def n_clips(rows: list[Row]) -> int:
    """Return how many clips these rows are of."""
    return len({row["clip"] for row in rows})


TABLES: dict[str, Callable[[], str]] = {
    "int8_speed": speed_of_convolutions,
    "int8_networks": networks,
    "int8_quality": quality,
    "int8_clips": clips,
    "int8_backends": backends,
    "int8_files": files,
    "int8_layers": layers,
    "int8_states": states,
    "int8_recovery": recovery,
    "quantisers": quantisers,
}
