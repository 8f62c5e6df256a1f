"""The sensitivity sweep as a chart: a bar a convolution, by what became of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from training.evaluation.plot_style import COLORS, DECODED_COLOR, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDED_COLOR = COLORS[0]
BAR_INCH = 0.19


def sensitivity_figure(rows: Sequence[Mapping[str, str]], title: str) -> "Figure":
    """Draw rows of the sweep's CSV file: mean loss as bars, the worst clip's as ticks.

    Raises:
        BackendError: matplotlib is not installed.
    """
    figure = new_figure(8.5, 1.6 + BAR_INCH * len(rows))
    axes = figure.subplots()
    labels = [f"{row['title']}   {row['role']}".rstrip() for row in rows]
    places = range(len(rows))
    colors = [DECODED_COLOR if row["role"] else ROUNDED_COLOR for row in rows]
    axes.barh(places, [float(row["mean_loss_db"]) for row in rows], color=colors)
    axes.plot([float(row["worst_loss_db"]) for row in rows], places, "|", color=COLORS[1], markersize=8)
    axes.set_yticks(places, labels, fontsize=7)
    axes.invert_yaxis()  # the first layer on top
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("PSNR-Y lost, dB, when only this convolution is rounded   (bar: mean, tick: worst clip)")
    axes.set_title(f"{title}   (blue: rounded, grey: kept, with the reason)", fontsize=10, loc="left")
    tidy(axes)
    return figure
