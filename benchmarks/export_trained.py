"""Export all networks that a study trained, and print LABEL=FILE for each, as table4.py's --onnx takes them.

$ python benchmarks/export_trained.py weights/comparison
$ python benchmarks/table4.py --networks live --onnx $(python benchmarks/export_trained.py weights/comparison)

FOLDER is laid out as training/studies.py writes it: CODING/VARIANT.pt. What was exported before, and is of the same
checkpoint, is kept.

exit codes: 0 done, 1 error, 2 usage, 3 no checkpoint, or an unreadable one
"""

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from cvqe.errors import CvqeError
from export.kept_export import exported
from training.study.trained_networks import trained_networks


@dataclass(frozen=True)
class Export:
    """What to export, and where to."""

    folder: Path
    output: Path = report.ROOT / "out" / "trained"


def parse_args(argv: list[str] | None = None) -> Export:
    """Read the command line; unset options keep Export's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the study's checkpoints")
    parser.add_argument("--output", type=Path, default=Export.output, help="folder for the ONNX files [out/trained]")
    return Export(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Export; our own errors become one message."""
    logging.basicConfig(level=logging.INFO, format="export_trained: %(message)s", stream=sys.stderr)
    options = parse_args(argv)
    try:
        for label, checkpoint in trained_networks(options.folder).items():
            print(f"{label}={exported(checkpoint, options.output / checkpoint.parent.name)}")
    except CvqeError as error:
        print(f"export_trained: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
