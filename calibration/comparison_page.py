"""The page of a comparison: its rows as Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from training.evaluation.markdown_tables import markdown

Row = Mapping[str, Any]
EXACT = "fp32"
NOT_MEASURED = "not measured"


def comparison_page(quality: Sequence[Row], layers: Sequence[Row], speed: Sequence[Row], files: Sequence[Row]) -> str:
    """Return all tables of a comparison, from the rows of its CSV files."""
    parts = (
        ("What it gains and loses", qps_table(quality)),
        ("Clip by clip", clips_table(quality)),
        ("How fast it is", speed_table(speed)),
        ("How large it is", files_table(files)),
        ("Layer by layer", layers_table(layers)),
    )
    return (
        "\n\n".join(
            ["![loss by QP, and SQNR by layer](comparison.png)", *(f"## {head}\n\n{text}" for head, text in parts)]
        )
        + "\n"
    )


def qps_table(quality: Sequence[Row]) -> str:
    """Return a line for each configuration and QP: the mean gain in each precision, and what is lost."""
    names = precisions(quality)
    losses = [f"{name}: lost, dB (worst clip)" for name in names[1:]]
    lines = []
    for (configuration, qp), own in groups(quality, "configuration", "qp"):
        gains = [gain_cell(having(own, name)) for name in names]
        lines.append([configuration, str(qp), *gains, *(loss_cell(own, name) for name in names[1:])])
    return markdown(["coding", "QP", *(f"{name}: gain, dB / SSIM, e-4" for name in names), *losses], lines)


def clips_table(quality: Sequence[Row]) -> str:
    """Return a line for each coded clip: gain in dB / SSIM, and PVD / SD in dB, in each precision."""
    names = precisions(quality)
    lines = []
    for (configuration, qp, clip), own in groups(quality, "configuration", "qp", "clip"):
        measured = [having(own, name) for name in names]
        cells = [f"{gain_cell(rows)}; {stability_cell(rows)}" if rows else "" for rows in measured]
        lines.append([configuration, str(qp), clip, *cells])
    return markdown(["coding", "QP", "clip", *(f"{name}: dB / SSIM, e-4; PVD / SD" for name in names)], lines)


def speed_table(speed: Sequence[Row]) -> str:
    """Return a line for each engine; "not measured" where nothing on the machine computes in the precision."""
    if not speed:
        return NOT_MEASURED
    lines = [
        [
            row["size"],
            f"{row['backend']} {row['precision']}",
            *(f"{float(row[name]):.{digits}f}" for name, digits in FORMS),
        ]
        for row in speed
    ]
    return markdown(["size", "engine", "ms a frame", "frames/s", "times as fast as without calibration"], lines)


FORMS = (("ms_per_frame", 2), ("frames_per_s", 1), ("speedup", 2))


def files_table(files: Sequence[Row]) -> str:
    """Return a line for each file."""
    lines = [[row["file"], row["precision"], f"{int(row['bytes']) / 1e6:.2f}"] for row in files]
    return markdown(["file", "precision", "MB"], lines)


def layers_table(layers: Sequence[Row]) -> str:
    """Return a line for each quantised layer, in the graph's order."""
    return markdown(["layer", "SQNR, dB"], [[row["title"], f"{float(row['sqnr_db']):.1f}"] for row in layers])


def precisions(quality: Iterable[Row]) -> list[str]:
    """Return the precisions that were measured, float32 first, those of more bits before those of fewer."""
    names = {str(row["precision"]) for row in quality}
    return [name for name in (EXACT, "bf16", "fp16", "int8", "fp8") if name in names]


def having(rows: Iterable[Row], precision: str) -> list[Row]:
    """Return the rows of one precision."""
    return [row for row in rows if row["precision"] == precision]


def losses_db(rows: Sequence[Row], precision: str) -> dict[str, float]:
    """Return what each clip loses against float32, of rows of one configuration and QP."""
    exact = {str(row["clip"]): float(row["delta_psnr_db"]) for row in having(rows, EXACT)}
    return {
        str(row["clip"]): exact[str(row["clip"])] - float(row["delta_psnr_db"])
        for row in having(rows, precision)
        if row["clip"] in exact
    }


def loss_cell(rows: Sequence[Row], precision: str) -> str:
    """Return the mean loss of a precision, and that of the clip that loses most."""
    lost = losses_db(rows, precision)
    return f"{fmean(lost.values()):+z.4f} ({max(lost.values()):+z.4f})" if lost else ""


def gain_cell(rows: Sequence[Row]) -> str:
    """Return the mean gain in PSNR and SSIM; empty where nothing was measured."""
    if not rows:
        return ""
    psnr, ssim = (fmean(float(row[name]) for row in rows) for name in ("delta_psnr_db", "delta_ssim"))
    return f"{psnr:+z.3f} / {1e4 * ssim:+z.0f}"


def stability_cell(rows: Sequence[Row]) -> str:
    """Return PVD and SD of one clip; PVD is not defined with fewer than two peaks."""
    return " / ".join(f"{float(row[name]):.2f}" if row[name] else "n/a" for row in rows for name in ("pvd_db", "sd_db"))


def groups(rows: Iterable[Row], *columns: str) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Return rows in groups that share some columns, in the order in which they come."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(str(row[name]) for name in columns), []).append(row)
    return sorted(found.items())
