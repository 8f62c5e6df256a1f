"""Draw the curves of docs/mganet.md from the committed results of training/studies.py.

$ python benchmarks/make_curves.py
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import mganet_tables, report
from benchmarks.mganet_tables import CODINGS, MAIN_QP, STUDY, rows_of
from training.evaluation.plot_style import DECODED_COLOR, Style, new_figure, png_from_figure, styles, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOTS = report.ROOT / "docs" / "plots"
# the lines of Figure 8, as here: variants and what guides them
SHOWN = {
    "guided, BRCLSTM": ("f3", "units"),
    "unguided": ("f3-unguided", ""),
    "guided, BCLSTM": ("f3-bclstm", "units"),
    "guided, slow fusion": ("f3-slow", "units"),
    "guided, early fusion": ("f3-early", "units"),
    "guided, one frame (F1)": ("f1", "units"),
}


def frames_figure() -> "Figure":
    """Draw the gain of every frame of one clip, all-intra above low-delay: Figure 8."""
    rows = [row for row in rows_of(f"{STUDY}_frames") if row["qp"] == MAIN_QP]
    figure = new_figure(8.5, 6.4)
    every = figure.subplots(len(CODINGS), 1, sharex=True)
    for axes, (coding, title) in zip(every, CODINGS.items(), strict=True):
        own = [row for row in rows if row["coding"] == coding]
        for name, style in styles(list(SHOWN)).items():
            _draw_frames(axes, [row for row in own if (row["variant"], row["guide"]) == SHOWN[name]], name, style)
        axes.set_title(f"{title}, QP {MAIN_QP}", fontsize=10, loc="left")
        axes.set_ylabel("delta PSNR, dB")
        axes.axhline(0, color="black", linewidth=0.8)
        tidy(axes)
    every[-1].set_xlabel("frame")
    every[-1].locator_params(axis="x", integer=True)
    lines = {str(line.get_label()): line for axes in every for line in axes.get_lines()}
    named = {name: line for name, line in lines.items() if name in SHOWN}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def qps_figure() -> "Figure":
    """Draw the mean gain of the base network at every QP, and each clip's: Figure 9."""
    figure = new_figure(8.5, 3.6)
    every = figure.subplots(1, len(CODINGS), sharey=True)
    for axes, (coding, title) in zip(every, CODINGS.items(), strict=True):
        for clip in sorted({row["clip"] for row in rows_of(f"{STUDY}_clips")}):
            own = [row for row in rows_of(f"{STUDY}_clips") if row["clip"] == clip]
            _draw_qps(axes, own, coding, DECODED_COLOR, 0.8, "")
        _draw_qps(axes, rows_of(STUDY), coding, "#0072B2", 2, "o")
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("QP")
        axes.locator_params(axis="x", integer=True)
        axes.axhline(0, color="black", linewidth=0.8)
        tidy(axes)
    every[0].set_ylabel("delta PSNR, dB")
    return figure


def _draw_frames(axes: "Axes", rows: list[mganet_tables.Row], name: str, style: Style) -> None:
    if rows:
        frames, gains = ([float(row[column]) for row in rows] for column in ("frame", "gain_db"))
        axes.plot(frames, gains, style.dashes, color=style.color, linewidth=1.4, label=name)


def _draw_qps(axes: "Axes", rows: list[mganet_tables.Row], coding: str, color: str, width: float, marker: str) -> None:
    own = [row for row in rows if (row["variant"], row["guide"], row["coding"]) == ("f3", "units", coding)]
    points = sorted((int(row["qp"]), float(row["gain_db"])) for row in own)
    axes.plot([qp for qp, _ in points], [gain for _, gain in points], color=color, linewidth=width, marker=marker)


def main() -> int:
    """Write both pictures."""
    PLOTS.mkdir(exist_ok=True)
    for name, draw in (("mganet_frames", frames_figure), ("mganet_qps", qps_figure)):
        try:
            content = png_from_figure(draw())
        except FileNotFoundError as error:
            print(f"make_curves: {error.filename} is not there; training/studies.py makes it.", file=sys.stderr)
            return 3
        path = PLOTS / f"{name}.png"
        path.write_bytes(content)
        print(path.relative_to(report.ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
