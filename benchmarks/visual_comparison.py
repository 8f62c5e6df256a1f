"""Draw the same crops decoded, by every network compared, and original, as the papers show them.

$ python benchmarks/visual_comparison.py TEST_CLIPS --coded data/test

A row is CLIP:FRAME:X:Y, a square whose upper left corner is at pixel X, Y of a frame counted from 0. Which ones are
shown is the user's choice: nothing looks for the squares where a network does best. CLIP is taken from CODED, as
training/compress.py writes it; x264/CLIP is coded here as a streaming site would: preset medium, CRF 30, three
B-frames, a keyframe every two seconds. Networks are CHECKPOINTS/NAME.pt. Each is exported to OUTPUT, and runs there as
in stream.py on the backend that `auto` finds, over all frames up to the one shown; windows, neighbors and states are
those that its file asks for. The last network is the shipped one.

exit codes: 0 done, 1 error, 2 usage, 3 an unreadable or missing clip or checkpoint
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.comparison_tables import MULTI_FRAME
from benchmarks.crop_place import DEFAULTS, SIDE_PX, STREAMED, CropPlace, place_from_text
from benchmarks.crop_row import CropRow, crop_row
from benchmarks.crop_sheet import crop_sheet
from benchmarks.network_titles import title_of
from benchmarks.streamed_clip import TITLE, code_as_streamed
from cvqe.errors import CvqeError, UsageError
from cvqe.whole_file import write_whole
from export.kept_export import exported
from runtime.model_file import DEFAULT_MODEL
from training.evaluation.cases import Case, find_cases
from training.evaluation.onnx_network import OnnxNetwork, onnx_network
from training.evaluation.plot_style import png_from_figure, refuse_missing_matplotlib

log = logging.getLogger("visual_comparison")
PACKAGES = ("openvino", "onnxruntime", "av")


@dataclass(frozen=True)
class Comparison:
    """What to show, and where to put it."""

    clips: Path
    coded: Path
    row: tuple[CropPlace, ...] = DEFAULTS
    configuration: str = "ldp-hm"
    qp: int = 37
    checkpoints: Path = report.ROOT / "weights" / "comparison" / "ldp-hm"
    networks: tuple[str, ...] = ()
    output: Path = report.ROOT / "out" / "visual_comparison"
    picture: Path = report.ROOT / "docs" / "plots" / "visual_comparison.png"
    results: Path = report.ROOT / "benchmarks" / "results" / "visual_comparison.csv"
    threads: int = 0


def parse_args(argv: list[str] | None = None) -> Comparison:
    """Read the command line; unset options keep Comparison's defaults.

    Raises:
        UsageError: a row is no place in a clip.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Comparison
    parser.add_argument("clips", type=Path, help="folder of pristine test clips")
    parser.add_argument("--coded", type=Path, required=True, help="folder of their coded versions")
    parser.add_argument(
        "--row", nargs="+", default=[*map(str, default.row)], metavar="[x264/]CLIP:FRAME:X:Y", help="[%(default)s]"
    )
    parser.add_argument("--configuration", default=default.configuration, help="of the coded versions [%(default)s]")
    parser.add_argument("--qp", type=int, default=default.qp, help="of the coded versions [%(default)s]")
    parser.add_argument("--checkpoints", type=Path, default=default.checkpoints, help="[weights/comparison/ldp-hm]")
    parser.add_argument(
        "--networks", nargs="+", default=default.networks, metavar="NAME", help="[those of the papers that are there]"
    )
    parser.add_argument(
        "--output", type=Path, default=default.output, help="folder for ONNX files and clips coded here"
    )
    parser.add_argument("--picture", type=Path, default=default.picture, help="[docs/plots/visual_comparison.png]")
    parser.add_argument("--results", type=Path, default=default.results, help="CSV of the figures in it")
    parser.add_argument("--threads", type=int, default=default.threads, help="0: every processor [%(default)s]")
    options: dict[str, Any] = vars(parser.parse_args(argv))
    places = tuple(map(place_from_text, options.pop("row")))
    return Comparison(**{**options, "row": places, "networks": tuple(options["networks"])})


def case_of(place: CropPlace, options: Comparison) -> tuple[Case, str]:
    """Return a row's clips and how the one was coded, in words; coded now if a streaming site's way is wanted.

    Raises:
        UsageError: there is no such clip.
        InputError: its coded version is missing.
    """
    pristine = options.clips / f"{place.clip}.mkv"
    if not pristine.is_file():
        raise UsageError(f"--row {place}: there is no {pristine}; name a clip that is there.")
    if not place.is_streamed:
        (case,) = find_cases(options.clips, options.coded, [options.configuration], [options.qp], [place.clip])
        return case, f"HEVC, {options.configuration}, QP {options.qp}"
    coded = code_as_streamed(pristine, options.output / STREAMED / pristine.name)
    return Case(place.clip, STREAMED, None, pristine, coded), TITLE


def networks_of(options: Comparison) -> dict[str, OnnxNetwork]:
    """Return the networks to show by title, each as a file that the runtime runs."""
    named = options.networks or [name for name in MULTI_FRAME if (options.checkpoints / f"{name}.pt").is_file()]
    files = {name: str(exported(options.checkpoints / f"{name}.pt", options.output)) for name in named}
    found = {}
    for name, file in {**files, DEFAULT_MODEL: DEFAULT_MODEL}.items():
        found[title_of(name)], reason = onnx_network(name, file, "auto", "auto", options.threads)
        log.info("%s: %s", found[title_of(name)].name, reason)
    return found


def result_rows(row: CropRow) -> Iterator[Mapping[str, Any]]:
    """Yield a line of the CSV for every column but the original."""
    place = row.place
    where = {"clip": place.clip, "coding": row.coding.replace("\n", " "), "frame": place.frame}
    where |= {"left_px": place.left, "top_px": place.top, "side_px": SIDE_PX}
    for crop in row.crops[:-1]:
        yield {
            **where,
            "shown": crop.title,
            "psnr_db": f"{crop.psnr_db:.4f}",
            "gain_db": f"{row.gain_db(crop):.4f}",
            "backend": crop.facts.backend,
            "precision": crop.facts.precision,
            "sha256": crop.facts.sha256,
            "machine": report.machine(),
            "versions": report.versions(PACKAGES),
            "git_sha": report.git_sha(),
            "date": datetime.now(UTC).date().isoformat(),
        }


def compare(options: Comparison) -> None:
    """Run everything, then write picture and CSV.

    Raises:
        CvqeError: a clip, a checkpoint or a place is not what was expected.
    """
    refuse_missing_matplotlib()
    networks = networks_of(options)
    rows = []
    for place in options.row:
        log.info("%s", place)
        rows.append(crop_row(place, *case_of(place, options), networks))
    write_whole(options.picture, png_from_figure(crop_sheet(rows)))
    report.write_rows(options.results, [line for row in rows for line in result_rows(row)])


def main(argv: list[str] | None = None) -> int:
    """Compare; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="visual_comparison: %(message)s", stream=sys.stderr)
    for logger in (log, logging.getLogger("benchmarks")):
        logger.setLevel(logging.INFO)
    try:
        options = parse_args(argv)
        compare(options)
    except CvqeError as error:
        print(f"visual_comparison: {error}", file=sys.stderr)
        return int(error.exit_code)
    print(options.picture, options.results, sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
