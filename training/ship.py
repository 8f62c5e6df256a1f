"""Copy the checkpoints of a study in float16: half as large, with their recipes, to be measured and gone on from.

$ python training/ship.py out/comparison --output weights/comparison

FOLDER/CODING/VARIANT.pt -> OUTPUT/CODING/VARIANT.pt; states, logs and exports stay. Copied back, training/studies.py
goes on from them, with an optimizer that begins anew.

exit codes: 0 done, 1 error, 2 usage, 3 no checkpoint in FOLDER, or an unreadable one
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError
from training.half_checkpoint import copy_halved
from training.study.trained_networks import trained_networks


@dataclass(frozen=True)
class Shipping:
    """What to copy, and where to."""

    folder: Path
    output: Path


def parse_args(argv: list[str] | None = None) -> Shipping:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="that training/studies.py wrote")
    parser.add_argument("--output", type=Path, required=True, help="folder for the copies")
    return Shipping(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Copy; our own errors become one message."""
    options = parse_args(argv)
    try:
        for label, checkpoint in trained_networks(options.folder).items():
            print(copy_halved(checkpoint, options.output / f"{label}.pt"))
    except CvqeError as error:
        print(f"ship: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
