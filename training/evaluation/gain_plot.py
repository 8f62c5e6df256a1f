"""Gain against QP: the mean over clips, and the clip that gains least."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.markdown_tables import by, n_clips, subjects_of
from training.evaluation.plot_style import Style, new_figure, tidy
from training.evaluation.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_LOSS = 1.5  # shown, in units of the largest gain


def gain_figure(results: Sequence[Result], styles: Mapping[str, Style], title: str) -> "Figure":
    """Draw the results of one configuration at several QPs: delta PSNR on the left, delta SSIM on the right."""
    figure = new_figure(10.5, 4.6)
    left, right = figure.subplots(1, 2)
    for subject in subjects_of(results):
        own = [result for result in results if result.subject == subject]
        _draw_subject(left, own, styles[subject], lambda result: result.delta_psnr_db)
        _draw_subject(right, own, styles[subject], lambda result: 1e4 * result.delta_ssim)
    for axes, label in ((left, "delta PSNR-Y, dB"), (right, "delta SSIM, 1e-4")):
        _finish(axes, label, [result.case.qp for result in results if result.case.qp is not None])
    figure.suptitle(f"Gain over the decoded video: {title}, {n_clips(results)} clips", fontsize=13)
    lines = {str(line.get_label()): line for line in left.get_lines() if not str(line.get_label()).startswith("_")}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _draw_subject(axes: "Axes", results: Sequence[Result], style: Style, gain: Callable[[Result], float]) -> None:
    qps = by(results, lambda result: result.case.qp)
    gains = [[gain(result) for result in own] for _, own in qps]
    at = [qp for qp, _ in qps]
    axes.plot(
        at, [fmean(each) for each in gains], style.dashes, color=style.color, marker="o", label=results[0].subject
    )
    axes.plot(at, [min(each) for each in gains], ":", color=style.color, linewidth=1, marker="v", markersize=4)


def _finish(axes: "Axes", label: str, qps: Sequence[int]) -> None:
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(sorted(set(qps)))
    axes.set_xlabel("QP")
    note = _cut_losses(axes)
    axes.set_title(f"{label}   (solid: mean, dotted: worst clip{note})", fontsize=10, loc="left")
    tidy(axes)


def _cut_losses(axes: "Axes") -> str:
    """Let the axis end a little below zero, or large losses would press the gains flat; returns a note of it."""
    values = [float(value) for line in axes.get_lines() for value in np.asarray(line.get_ydata())]
    floor = -LARGEST_LOSS * max(values)
    if floor >= 0 or min(values) >= floor:
        return ""
    axes.set_ylim(bottom=floor)
    return f"; cut at {floor:.3g}"
