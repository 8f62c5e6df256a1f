"""Sweep a network layer by layer: how much is lost when only that one is rounded to 8 bits.

$ python calibration/sensitivity.py --onnx weights/live.onnx --clips CLIPS --coded data/train

Scales and rounding come from frames as in calibrate.py, losses from clips that were held back. Writes a CSV file and a
chart of it; --draw-only draws the chart from the CSV file that is there.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from calibration.formats import FORMATS
from calibration.frame_options import add_coding_options, add_frame_options
from calibration.sensitivity_run import SweepConfig, sweep
from cvqe.errors import CvqeError, ExitCode
from training.evaluation.provenance import command_line


def parse_args(argv: list[str] | None = None) -> SweepConfig:
    """Read the command line; unset options keep SweepConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = SweepConfig
    add = parser.add_argument
    add("--onnx", type=Path, required=True, help="file of export/to_onnx.py, in fp32")
    add_frame_options(parser, default)
    add_coding_options(parser, default)
    add("--to", choices=tuple(FORMATS), default=default.to, help="[%(default)s]")
    add("--csv", type=Path, default=default.csv, help="[benchmarks/results/int8_sensitivity_FILE.csv]")
    add("--chart", type=Path, default=default.chart, help="[docs/plots/int8_sensitivity_FILE.png]")
    add("--draw-only", action="store_true", help="measure nothing")
    return SweepConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Sweep one file; our own errors become one message."""
    command = command_line("calibration/sensitivity.py", sys.argv[1:] if argv is None else argv)
    try:
        for line in sweep(parse_args(argv), command):
            print(line, flush=True)
    except CvqeError as error:
        print(f"sensitivity: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("sensitivity: stopped; files are written when every layer is measured, not before", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    raise SystemExit(main())
