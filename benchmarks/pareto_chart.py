"""The chart of gain against time: a panel a coding, its Pareto front as a line of steps."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.label_placement import GAP, Box, place_labels
from benchmarks.pareto_front import Place, front, steps
from benchmarks.pareto_points import HEIGHT, PANELS, QP, WIDTH, Panel, Point
from training.evaluation.plot_style import COLORS, DECODED_COLOR, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINED_COLOR, SHIPPED_COLOR = COLORS[:2]
MARKER_PT, STAR_PT = 7.0, 14.0
LABEL_PT, SMALL_PT = 8.5, 9.0
POINTS_AN_INCH = 72
SIDE_FACTOR = 1.6  # times are free by so much on either side, for labels
TOP_SHARE = 0.12  # of the range of gains, free above and below
LINE_PX = 3.0


def pareto_chart(panels: Sequence[Panel], machine: str) -> "Figure":
    """Draw all panels side by side.

    Args:
        machine: where times were measured.

    Raises:
        BackendError: matplotlib is not installed.
    """
    figure = new_figure(6.2 * len(panels), 5.8)
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(every, panels, strict=True):
        _draw_panel(axes, panel)
    every[0].set_ylabel("delta PSNR, dB")
    named = {str(line.get_label()): line for axes in every for line in axes.get_lines()}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=SMALL_PT)
    figure.suptitle(_title(panels, machine), fontsize=10, x=0.01, ha="left")
    figure.draw_without_rendering()  # lays it out: labels are placed in pixels
    for axes, panel in zip(every, panels, strict=True):
        _label_points(axes, panel.points)
    return figure


def _title(panels: Sequence[Panel], machine: str) -> str:
    budgets = " and ".join(dict.fromkeys(panel.budget for panel in panels))
    return (
        f"Dots: networks at a quarter of their published width, all trained alike for {budgets} px.\n"
        f"Stars: what is shipped, of its own width and trained far longer.   Times: {machine}."
    )


def _draw_panel(axes: "Axes", panel: Panel) -> None:
    _set_range(axes, panel.points)
    for places, color, dashes, name in _fronts(panel.points):
        corners = steps(front(places), axes.get_xlim()[1])
        axes.plot(*zip(*corners, strict=True), dashes, color=color, linewidth=1.2, zorder=1, label=name)
    for is_preset, marker, color, size, name in (
        (False, "o", TRAINED_COLOR, MARKER_PT, "trained alike"),
        (True, "*", SHIPPED_COLOR, STAR_PT, "shipped"),
    ):
        own = [(point.ms, point.gain_db) for point in panel.points if point.is_preset == is_preset]
        if own:
            axes.plot(*zip(*own, strict=True), marker, color=color, markersize=size, label=name)
    axes.set_title(f"{PANELS[panel.coding]} ({panel.coding}), QP {QP}", fontsize=11, loc="left")
    axes.set_xlabel(f"ms a frame at {WIDTH}x{HEIGHT}\n{panel.measured_on}", fontsize=SMALL_PT)
    tidy(axes)


def _set_range(axes: "Axes", points: Sequence[Point]) -> None:
    times, gains = [point.ms for point in points], [point.gain_db for point in points]
    axes.set_xscale("log")
    axes.set_xlim(min(times) / SIDE_FACTOR, max(times) * SIDE_FACTOR)
    room = TOP_SHARE * ((max(gains) - min(gains)) or 1)
    axes.set_ylim(min(gains) - room, max(gains) + room)
    axes.xaxis.set_major_locator(import_module("matplotlib.ticker").LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")


def _fronts(points: Sequence[Point]) -> Iterator[tuple[list[Place], str, str, str]]:
    """Yield the places each front is of, its colour, dashes and name; that of equals where others are there, too."""
    if any(point.is_preset for point in points):
        alike = [(point.ms, point.gain_db) for point in points if not point.is_preset]
        yield alike, DECODED_COLOR, "--", "Pareto front of those trained alike"
    yield [(point.ms, point.gain_db) for point in points], "black", "-", "Pareto front"


def _label_points(axes: "Axes", points: Sequence[Point]) -> None:
    """Write names where they hide nothing, and a thin line from those that stand apart."""
    centers = [tuple(axes.transData.transform((point.ms, point.gain_db))) for point in points]
    sizes = [_size(axes, point.title) for point in points]
    frame = axes.get_window_extent()
    inside = Box(frame.x0, frame.y0, frame.width, frame.height)
    boxes = place_labels(centers, sizes, inside, [*_markers(axes, points, centers), *_lines(axes, points)])
    for point, center, box in zip(points, centers, boxes, strict=True):
        _write(axes, point, center, box)


def _size(axes: "Axes", words: str) -> tuple[float, float]:
    text = axes.annotate(words, (0.5, 0.5), xycoords="axes fraction", fontsize=LABEL_PT)
    extent = text.get_window_extent()
    text.remove()
    return extent.width + 4, extent.height + 2


def _markers(axes: "Axes", points: Sequence[Point], centers: Sequence[Place]) -> Iterator[Box]:
    for point, (x, y) in zip(points, centers, strict=True):
        side = (STAR_PT if point.is_preset else MARKER_PT) * axes.figure.dpi / POINTS_AN_INCH
        yield Box(x - side / 2, y - side / 2, side, side)


def _lines(axes: "Axes", points: Sequence[Point]) -> Iterator[Box]:
    for places, *_ in _fronts(points):
        corners = axes.transData.transform(steps(front(places), axes.get_xlim()[1]))
        for (x0, y0), (x1, y1) in pairwise(corners):
            left, bottom = min(x0, x1) - LINE_PX / 2, min(y0, y1) - LINE_PX / 2
            yield Box(left, bottom, abs(x1 - x0) + LINE_PX, abs(y1 - y0) + LINE_PX)


def _write(axes: "Axes", point: Point, center: Place, box: Box) -> None:
    scale = POINTS_AN_INCH / axes.figure.dpi
    (x, y), (near_x, near_y) = center, box.nearest(*center)
    is_apart = max(abs(near_x - x), abs(near_y - y)) > 3 * GAP
    axes.annotate(
        point.title,
        (point.ms, point.gain_db),
        xytext=((box.left + box.width / 2 - x) * scale, (box.bottom + box.height / 2 - y) * scale),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=LABEL_PT,
        arrowprops={"arrowstyle": "-", "color": DECODED_COLOR, "linewidth": 0.7, "shrinkB": 3} if is_apart else None,
    ).set_in_layout(False)
