"""Draw what networks gain against how long they take, from the committed results alone.

$ python benchmarks/pareto.py

STUDY is what benchmarks/table1.py measured of networks trained alike, SPEED what benchmarks/table4.py timed, PRESETS
what training/evaluate.py measured of the shipped networks, best on the study's clips and frames: the chart says where
they differ. A line of SPEED belongs to a network by its label, a variant's name with or without its coding
(ai-tu3/dcad), and by its number of parameters; to a shipped one by the label that evaluate.py gave it (live_int8). A
network that was not timed is named and left out.

exit codes: 0 done, 1 error, 2 usage, 3 a file of results is missing or holds nothing of a coding
"""

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.pareto_chart import pareto_chart
from benchmarks.pareto_points import PANELS, panel, rows_of
from cvqe.errors import CvqeError
from cvqe.whole_file import write_whole
from training.evaluation.plot_style import png_from_figure

log = logging.getLogger("pareto")
RESULTS = report.ROOT / "benchmarks" / "results"
MADE_BY = {
    "study": "python benchmarks/table1.py",
    "speed": "python benchmarks/table4.py",
    "presets": "python training/evaluate.py",
}


@dataclass(frozen=True)
class Chart:
    """What it is drawn from, and where to put it."""

    study: Path = RESULTS / "comparison.csv"
    speed: Path = RESULTS / "comparison_speed.csv"
    presets: tuple[Path, ...] = (RESULTS / "comparison_presets.csv",)
    output: Path = report.ROOT / "docs" / "plots" / "pareto.png"


def parse_args(argv: list[str] | None = None) -> Chart:
    """Read the command line; unset options keep Chart's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Chart
    parser.add_argument("--study", type=Path, default=default.study, help="[benchmarks/results/comparison.csv]")
    parser.add_argument("--speed", type=Path, default=default.speed, help="[benchmarks/results/comparison_speed.csv]")
    parser.add_argument(
        "--presets",
        type=Path,
        nargs="*",
        default=default.presets,
        help="[benchmarks/results/comparison_presets.csv]",
    )
    parser.add_argument("--output", type=Path, default=default.output, help="[docs/plots/pareto.png]")
    options: dict[str, Any] = vars(parser.parse_args(argv))
    return Chart(**{**options, "presets": tuple(options["presets"])})


def draw(chart: Chart) -> None:
    """Read the results and write the picture.

    Raises:
        CvqeError: results are missing, or matplotlib is.
    """
    study, speed = (rows_of(getattr(chart, name), MADE_BY[name]) for name in ("study", "speed"))
    presets = [row for path in chart.presets for row in rows_of(path, MADE_BY["presets"])]
    panels = [panel(coding, study, speed, presets) for coding in PANELS]
    for each in panels:
        if each.untimed:
            log.warning("%s: not timed, so not drawn: %s", each.coding, ", ".join(each.untimed))
    write_whole(chart.output, png_from_figure(pareto_chart(panels, speed[-1]["machine"])))


def main(argv: list[str] | None = None) -> int:
    """Draw; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="pareto: %(message)s", stream=sys.stderr)
    chart = parse_args(argv)
    try:
        draw(chart)
    except CvqeError as error:
        print(f"pareto: {error}", file=sys.stderr)
        return int(error.exit_code)
    print(chart.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
