"""PSNR frame by frame, before and after: a small picture a clip."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from training.evaluation.markdown_tables import by
from training.evaluation.plot_style import DECODED_COLOR, Style, new_figure, tidy
from training.evaluation.results import Result
from training.evaluation.subject import DECODED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_COLUMNS = 3
WIDTH_IN, HEIGHT_IN = 4.2, 2.6


def psnr_figure(results: Sequence[Result], styles: Mapping[str, Style], title: str) -> "Figure":
    """Draw the results of one configuration and QP."""
    clips = by(results, lambda result: result.case.clip)
    n_columns = min(N_COLUMNS, len(clips))
    n_rows = math.ceil(len(clips) / n_columns)
    figure = new_figure(max(WIDTH_IN * n_columns, 6), HEIGHT_IN * n_rows + 0.8)
    every = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (clip, own) in zip(every, clips, strict=False):
        _draw_clip(axes, clip, own, styles)
    for unused in every[len(clips) :]:
        unused.set_axis_off()
    figure.suptitle(f"PSNR-Y frame by frame: {title}", fontsize=13)
    lines = {str(line.get_label()): line for axes in every for line in axes.get_lines()}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _draw_clip(axes: "Axes", clip: str, results: Sequence[Result], styles: Mapping[str, Style]) -> None:
    axes.plot(results[0].before.psnr_db, color=DECODED_COLOR, linewidth=2.8, label=DECODED)
    for result in sorted(results, key=lambda result: result.column):
        style = styles[result.subject]
        axes.plot(result.after.psnr_db, style.dashes, color=style.color, linewidth=1.2, label=result.subject)
    axes.set_title(clip, fontsize=9)
    axes.set_ylabel("dB", fontsize=8)
    axes.set_xlabel("frame", fontsize=8)
    axes.locator_params(axis="x", integer=True)
    axes.margins(x=0.01)
    axes.tick_params(labelsize=8)
    tidy(axes)
