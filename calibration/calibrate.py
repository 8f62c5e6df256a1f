"""Calibrate an exported network: round it to 8 bits by what real decoded frames do in it, and judge whether it pays.

$ python calibration/calibrate.py --onnx weights/live.onnx --clips CLIPS --coded data/train --to int8

CLIPS holds pristine training clips, --coded their coded versions as training/compress.py writes them; never those that
results are told of. Frames are drawn by seed over QPs, motion and brightness. A fifth of the clips is held back to
judge by: a file that loses more than the gate allows, or is not faster than in 16 bits, is refused. FILE_frames.json,
beside the new file, lists the frames.
"""

import argparse
import logging
import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from calibration.formats import FORMATS
from calibration.frame_options import add_coding_options, add_frame_options
from calibration.observers import OBSERVERS
from calibration.placement import ROLES
from calibration.quantiser import RECOVERIES
from calibration.run import CalibrationConfig, calibrate
from cvqe.errors import CvqeError, ExitCode


def parse_args(argv: list[str] | None = None) -> CalibrationConfig:
    """Read the command line; unset options keep CalibrationConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = CalibrationConfig
    add = parser.add_argument
    add("--onnx", type=Path, required=True, help="file of export/to_onnx.py, in fp32")
    add_frame_options(parser, default)
    add_coding_options(parser, default)
    add("--to", choices=tuple(FORMATS), default=default.to, help="[%(default)s]")
    add("--output", type=Path, default=default.output, help="file to write [FILE_int8.onnx beside FILE.onnx]")
    add("--exclude", nargs="+", default=default.exclude, help="patterns of clips to leave out, as 'kitti_*'")
    add("--observer", choices=tuple(OBSERVERS), default=default.observer, help="of amax [entropy; of fp8 min-max]")
    add(
        "--recovery",
        nargs="*",
        choices=RECOVERIES,
        default=default.recovery,
        help=f"of what rounding loses; none without a word behind it [{' '.join(default.recovery)}]",
    )
    add("--quantise", dest="also", nargs="+", choices=tuple(ROLES), default=default.also, help="roles not to spare")
    add("--keep", nargs="+", default=default.keep, help="convolutions to spare, by node name")
    add("--force", action="store_true", help="write what the gate refuses; the file says so")
    return CalibrationConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Calibrate one file; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        for line in calibrate(parse_args(argv)):
            print(line, flush=True)
    except CvqeError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("calibrate: stopped; nothing was written", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    raise SystemExit(main())
