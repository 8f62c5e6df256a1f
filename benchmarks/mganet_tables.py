"""The tables of docs/mganet.md: the paper's studies as measured here, and what its ConvLSTM saves.

Each returns NOT_MEASURED while the results it is made from are not there.
"""

import csv
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from statistics import fmean

from benchmarks import report

RESULTS = report.ROOT / "benchmarks" / "results"
STUDY, SHIPPED = "mganet_studies", "mganet_slim"
NOT_MEASURED = "*Not measured yet.*"
MAIN_QP = "37"
CODINGS = {"ai-tu3": "all-intra", "ldp-hm-tu3": "low-delay"}
FUSIONS = {"early fusion": "{}-early", "slow fusion": "{}-slow", "BCLSTM": "{}-bclstm", "BRCLSTM": "{}"}
# delta PSNR of the paper's Table 5, dB: all-intra F3, F5, low-delay F3, F5
PUBLISHED = {
    "early fusion": (0.9134, 0.8455, 0.3687, 0.3011),
    "slow fusion": (0.9470, 0.8726, 0.3672, 0.3036),
    "BCLSTM": (1.0035, 1.1007, 0.3393, 0.3563),
    "BRCLSTM": (1.0049, 1.1123, 0.4041, 0.4106),
}
GUIDES = {  # what a network was trained with, and is given
    "transform units": ("f3", "units"),
    "the same network, given a fixed 16x16 grid": ("f3", "grid"),
    "a network without a guide": ("f3-unguided", ""),
}
LONG_GUIDES = {  # a network's name, and whether the grid stands in
    "transform units": ("mganet_slim_ai", False),
    "the same network, given a fixed 16x16 grid": ("mganet_slim_ai", True),
    "a network without a guide": ("mganet_slim_unguided", False),
}
RADII = {"F1": "f1", "F3": "f3", "F3, adjacent frames": "f3-adjacent", "F5": "f5"}
Row = dict[str, str]
Table = Callable[[], str]


def rows_of(name: str) -> list[Row]:
    """Read a results file."""
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def once_measured(table: Table) -> Table:
    """Let a table say that its results are not there."""

    @wraps(table)
    def told() -> str:
        try:
            return table()
        except FileNotFoundError:
            return NOT_MEASURED

    return told


def found(rows: Iterable[Row], variant: str, coding: str, qp: str = MAIN_QP, guide: str | None = None) -> Row | None:
    """Return the row of a variant, by the guide it was trained with where none is named."""
    own = [row for row in rows if (row["variant"], row["coding"], row["qp"]) == (variant, coding, qp)]
    return next((row for row in own if row["guide"] == guide or (guide is None and row["guide"] != "grid")), None)


def gain(row: Row | None) -> str:
    """Return a gain in dB as a cell."""
    return f"{float(row['gain_db']):+.3f}" if row else ""


def markdown(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table."""
    cells = [list(heads), *map(list, lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [cells[0], ["---"] * len(cells[0]), *cells[1:]])


@once_measured
def fusion_table() -> str:
    """Return Table 5: how frames are fused, beside the paper's figures."""
    rows, lines = rows_of(STUDY), []
    for number, (fusion, name) in enumerate(FUSIONS.items()):
        columns = [(coding, name.format(frames)) for coding in CODINGS for frames in ("f3", "f5")]
        ours = [gain(found(rows, variant, coding)) for coding, variant in columns]
        theirs = [f"{published:+.3f}" for published in list(PUBLISHED.values())[number]]
        lines.append([fusion, *(cell for pair in zip(ours, theirs, strict=True) for cell in pair)])
    heads = [
        f"{title} {frames}{whose}" for title in CODINGS.values() for frames in ("F3", "F5") for whose in ("", ", paper")
    ]
    return f"{markdown(['', *heads], lines)}\n\n{budget(rows)}"


@once_measured
def guide_table() -> str:
    """Return Figure 12: with and without the guided map, and with the stand-in."""
    rows, lines = rows_of(STUDY), []
    for title, (variant, guide) in GUIDES.items():
        own = [found(rows, variant, coding, guide=guide) for coding in CODINGS]
        first = next(filter(None, own), None)
        lines.append([title, *map(gain, own), first["gmacs_416x240"] if first else ""])
    lines.append(["clips on which units beat no guide", *map(_clips_gained, CODINGS), ""])
    return markdown(["guided by", *(f"{title}, dB" for title in CODINGS.values()), "GMAC at 416x240"], lines)


@once_measured
def long_guide_table() -> str:
    """Return what a guide is worth to networks trained five times as long, all-intra, mean over clips."""
    rows = [row for row in rows_of("mganet_long") if row["subject"] != "decoded"]
    lines, gains = [], dict[str, dict[str, float]]()
    for title, (subject, is_grid) in LONG_GUIDES.items():
        own = [row for row in rows if row["subject"].split()[0] == subject and bool(row["settings"]) == is_grid]
        gains[title] = {row["clip"]: float(row["delta_psnr_db"]) for row in own}
        lines.append([title, f"{fmean(gains[title].values()):+.3f}", f"{min(gains[title].values()):+.3f}"])
    units, _, none = gains.values()
    lines.append(
        ["clips on which units beat no guide", f"{sum(units[clip] > none[clip] for clip in units)} of {len(units)}", ""]
    )
    where = "; ".join(sorted({f"{row['backend']} {row['precision']}, commit {row['git_sha']}" for row in rows}))
    return f"{markdown(['guided by', 'gain, dB', 'worst clip, dB'], lines)}\n\n{rows[0]['machine']}; {where}."


@once_measured
def qps_of_shipped_table() -> str:
    """Return the mean gain of the shipped network at other QPs than its own."""
    rows = [row for row in rows_of("mganet_slim_qps") if row["subject"] != "decoded"]
    lines = []
    for qp in sorted({row["qp"] for row in rows}, key=int):
        gains = _numbers(row for row in rows if row["qp"] == qp)
        lines.append([qp, f"{fmean(gains):+.3f}", f"{min(gains):+.3f}"])
    first = rows[0]
    what = f"The first {first['first_frames']} frames of {len(gains)} clips"
    where = f"{first['machine']}; {first['backend']} {first['precision']}; commit {first['git_sha']}."
    return f"{markdown(['QP', 'gain, dB', 'worst clip, dB'], lines)}\n\n{what}. {where}"


@once_measured
def radius_table() -> str:
    """Return Figure 10: how many frames are seen, and what that costs."""
    rows, lines = rows_of(STUDY), []
    for title, variant in RADII.items():
        of_codings = [found(rows, variant, coding) for coding in CODINGS]
        first = next(filter(None, of_codings), None)
        if first:
            cost = [first["gmacs_416x240"], f"{int(first['parameters']):,}"]
            lines.append([title, *map(gain, of_codings), *cost])
    return markdown(["", *(f"{title}, dB" for title in CODINGS.values()), "GMAC at 416x240", "parameters"], lines)


@once_measured
def robustness_table() -> str:
    """Return Figure 9: the network of QP 37 at others."""
    rows = rows_of(STUDY)
    qps = sorted({row["qp"] for row in rows}, key=int)
    lines = [[qp, *(gain(found(rows, "f3", coding, qp)) for coding in CODINGS)] for qp in qps]
    return markdown(["QP", *(f"{title}, dB" for title in CODINGS.values())], lines)


@once_measured
def shipped_table() -> str:
    """Return what the shipped network gains on every test clip, by true units and by the grid that stands in."""
    rows = [row for row in rows_of(SHIPPED) if row["subject"] != "decoded"]
    by_units, by_grid = (
        {row["clip"]: row for row in rows if bool(row["settings"]) == is_grid} for is_grid in (False, True)
    )
    lines = [
        [clip, row["frames"], f"{float(row['psnr_db_decoded']):.2f}", *map(_gain_of, (row, by_grid.get(clip)))]
        for clip, row in by_units.items()
    ]
    means = [f"{fmean(_numbers(rows.values())):+.3f}" if rows else "" for rows in (by_units, by_grid)]
    n_frames = sum(int(row["frames"]) for row in by_units.values())
    heads = ["clip", "frames", "decoded, dB", "gain, dB", "gain by the fixed grid, dB"]
    first = rows[0]
    where = f"{first['machine']}; {first['backend']} {first['precision']}; commit {first['git_sha']}."
    return f"{markdown(heads, [*lines, ['**mean**', str(n_frames), '', *means]])}\n\n{where}"


def _numbers(rows: Iterable[Row]) -> list[float]:
    return [float(row["delta_psnr_db"]) for row in rows]


def _gain_of(row: Row | None) -> str:
    return f"{float(row['delta_psnr_db']):+.3f}" if row else ""


@once_measured
def conv_lstm_table() -> str:
    """Return what the ConvLSTM saves of multiply-accumulates and of time."""
    rows = rows_of("conv_lstm")
    latest = {(row["case"], row["metric"], row["provider"]): float(row["median"]) for row in rows}
    lines = []
    for case in dict.fromkeys(row["case"] for row in rows):
        cells = [case]
        for metric, form in (("network", ".1f"), ("cell", ".1f"), ("time", ",.0f")):
            plain, ours = (latest[case, metric, provider] for provider in ("plain", "ours"))
            cells += [f"{plain:{form}}", f"{ours:{form}}", f"{1 - ours / plain:.0%}"]
        lines.append(cells)
    columns = ("network, GMAC", "BRCLSTM, GMAC", "BRCLSTM, ms")
    heads = ["", *(head for column in columns for head in (f"{column}: plain", "ours", "saved"))]
    last = rows[-1]
    return (
        f"{markdown(heads, lines)}\n\n{last['machine']}; {last['versions']}; commit {last['git_sha']}, {last['date']}."
    )


@once_measured
def curves() -> str:
    """Return the pictures that benchmarks/make_curves.py draws."""
    titles = {Path(row["clip"]).stem for row in rows_of(f"{STUDY}_frames")}
    return (
        "![delta PSNR of every frame, all-intra above, low-delay below](plots/mganet_frames.png)\n\n"
        f"*Gain of every frame of {', '.join(sorted(titles))}.*\n\n"
        "![mean gain of the network of QP 37 at QP 35 to 39](plots/mganet_qps.png)\n\n"
        "*The base network at QPs that it was not trained for; thin lines: single clips.*"
    )


@once_measured
def units_table() -> str:
    """Return what classes of pixels are worth to linear filters, mean and range over clips."""
    rows = rows_of("units")
    lines = []
    for known in dict.fromkeys(row["known"] for row in rows):
        cells = [row["classes"] for row in rows if row["known"] == known][:1]
        for filtered in dict.fromkeys(row["filtered"] for row in rows):
            gains = [float(row["gain_db"]) for row in rows if (row["known"], row["filtered"]) == (known, filtered)]
            cells.append(f"{fmean(gains):+.4f} ({min(gains):+.3f} to {max(gains):+.3f})")
        lines.append([f"knows {known}", *cells])
    first = rows[0]
    heads = ["a pixel's filter", "classes", *(f"{each}, dB" for each in dict.fromkeys(row["filtered"] for row in rows))]
    where = f"{first['coding']}; network {first['network']}; {first['machine']}; commit {first['git_sha']}."
    return f"{markdown(heads, lines)}\n\n{where}"


def budget(rows: list[Row]) -> str:
    """Return under what the studies were made, in sentences."""
    first, told = (
        rows[0],
        {name: sorted({row[name] for row in rows}) for name in ("computed_by", "machine", "git_sha", "date")},
    )
    minutes = [float(row["training_s"]) / 60 for row in rows if row["training_s"]]
    took = f", {min(minutes):.0f} to {max(minutes):.0f} minutes each" if minutes else ""
    trained = (
        f"{first['steps']} steps of {first['batch']} patches of {first['patch_px']} px, seed {first['seed']}{took}"
    )
    measured = f"the first {first['frames'] or 'all'} frames of {first['n_clips']} clips at QP {MAIN_QP}"
    where = "; ".join(", ".join(values) for values in told.values())
    return f"Trained: {trained}. Measured: {measured}, mean over frames, then over clips. {where}."


def _clips_gained(coding: str) -> str:
    rows = [row for row in rows_of(f"{STUDY}_clips") if (row["coding"], row["qp"]) == (coding, MAIN_QP)]
    gains = {(row["variant"], row["guide"], row["clip"]): float(row["gain_db"]) for row in rows}
    pairs = [
        (value, gains["f3-unguided", "", clip])
        for (variant, guide, clip), value in gains.items()
        if (variant, guide) == ("f3", "units") and ("f3-unguided", "", clip) in gains
    ]
    return f"{sum(units > none for units, none in pairs)} of {len(pairs)}" if pairs else ""


TABLES: dict[str, Table] = {
    "mganet_fusion": fusion_table,
    "mganet_guide": guide_table,
    "mganet_radius": radius_table,
    "mganet_qps": robustness_table,
    "mganet_curves": curves,
    "mganet_units": units_table,
    "mganet_guide_long": long_guide_table,
    "mganet_slim_qps": qps_of_shipped_table,
    "conv_lstm": conv_lstm_table,
    "mganet_slim": shipped_table,
}
