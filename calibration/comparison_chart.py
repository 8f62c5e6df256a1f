"""The chart of a comparison: what is lost at every QP, and how much of each quantised layer's output is signal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from calibration.comparison_page import groups, losses_db, precisions
from calibration.gate import CLIP_LIMIT_DB, MEAN_LIMIT_DB
from cvqe.whole_file import write_whole
from training.evaluation.plot_style import COLORS, new_figure, png_from_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]


def write_chart(quality: Sequence[Row], layers: Sequence[Row], path: Path) -> None:
    """Draw a comparison from the rows of its CSV files.

    Raises:
        BackendError: matplotlib is not installed.
    """
    write_whole(path, png_from_figure(comparison_figure(quality, layers)))


def comparison_figure(quality: Sequence[Row], layers: Sequence[Row]) -> "Figure":
    """Draw the loss of every coded clip on the left, the layers on the right."""
    figure = new_figure(10.5, 4.6)
    left, right = figure.subplots(1, 2)
    rounded = precisions(quality)[-1]
    codings = sorted({str(row["configuration"]) for row in quality})
    for coding, color in zip(codings, COLORS, strict=False):
        _draw_losses(left, [row for row in quality if row["configuration"] == coding], rounded, coding, color)
    for limit, word in ((MEAN_LIMIT_DB, "allowed in the mean"), (CLIP_LIMIT_DB, "allowed on any clip")):
        left.axhline(limit, color="black", linestyle=":", linewidth=1)
        left.annotate(word, (0.01, limit), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
    left.axhline(0, color="black", linewidth=0.8)
    left.set_xlabel("QP")
    left.locator_params(axis="x", integer=True)
    left.set_title(f"PSNR that {rounded} loses, dB   (lines: mean, dots: clips)", fontsize=10, loc="left")
    left.legend(frameon=False, fontsize=9)
    _draw_layers(right, layers)
    for axes in (left, right):
        tidy(axes)
    return figure


def _draw_losses(axes: "Axes", rows: Sequence[Row], precision: str, coding: str, color: str) -> None:
    lost = {int(qp): list(losses_db(own, precision).values()) for (qp,), own in groups(rows, "qp")}
    qps = sorted(qp for qp, losses in lost.items() if losses)  # an earlier run may have ended between two precisions
    axes.plot(qps, [fmean(lost[qp]) for qp in qps], color=color, marker="o", label=coding)
    for qp in qps:
        axes.scatter([qp] * len(lost[qp]), lost[qp], s=8, color=color, alpha=0.5)


def _draw_layers(axes: "Axes", layers: Sequence[Row]) -> None:
    """Draw a bar a layer, the graph's first on top."""
    names = [str(row["title"]) for row in layers]
    axes.barh(names, [float(row["sqnr_db"]) for row in layers], color=COLORS[0])
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title("SQNR of the quantised layers, dB", fontsize=10, loc="left")
