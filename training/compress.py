"""Code pristine clips with HEVC or AVC at the QPs a network shall repair.

$ python training/compress.py CLIPS --qp 22 27 32 37 42 --output data/train

Clips are .mkv .mp4 .y4m .mov .avi .webm files, 8-bit 4:2:0 with even sides or gray; their frames are coded at the
nominal rate. Coded clips are OUTPUT/CONFIGURATION_qpQP/CLIP.mkv, where other codecs and transform trees go into folders
of their own: avc-ldp_qp37, ldp-tu3_qp37. What is there, whole and made from the same clip with the same settings, is
kept; everything else is made again. OUTPUT/index.csv holds quality and bit rate of all of them.

configurations:
  ldp     low-delay P: one intra frame, then P frames that refer to the last four, all at one QP
  ldp-hm  the same with HM's QPs: +3, +2, +3, +1 in every group of four frames
  ai      all-intra
  ra      random access: an intra frame every 32, seven B frames between P frames

exit codes: 0 done, 1 error, 2 usage, 3 no readable clip, 4 some clips failed, 130 interrupted (type the same again)
"""

import argparse
import logging
import signal
import sys
import time
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode
from training.coding import CODECS
from training.compression import Compression, Progress, compress
from training.progress_bar import progress_bar
from training.x265_settings import CONFIGURATIONS


class ProgressPrinter:
    """A bar that is drawn anew on a terminal; into a file, one line per clip."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        """Show what is new."""
        if self.is_terminal:
            bar = progress_bar(progress.n_done, progress.n_jobs, time.monotonic() - self.start)
            print(f"\r{bar}\033[K", end="", file=sys.stderr, flush=True)
            return
        for result in progress.results:
            cells = (cell for cell in result.row.cells.values() if cell)
            print("  ".join([*cells, result.action]), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the bar's line."""
        if self.is_terminal:
            print(file=sys.stderr)


def parse_args(argv: list[str] | None = None) -> Compression:
    """Read the command line; unset options keep Compression's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of pristine clips")
    parser.add_argument("--output", type=Path, required=True, help="folder for the coded clips and index.csv")
    parser.add_argument("--qp", type=int, nargs="+", default=Compression.qp, help="quantisers [22 27 32 37 42]")
    parser.add_argument(
        "--configuration", choices=CONFIGURATIONS, default=Compression.configuration, help="[%(default)s]"
    )
    parser.add_argument("--codec", choices=CODECS, default=Compression.codec, help="[%(default)s]")
    parser.add_argument(
        "--transform-depth",
        type=int,
        default=Compression.transform_depth,
        help="depth of HEVC's transform trees, 1 to 4; 3 for trees like HM's, chosen by squared error [%(default)s]",
    )
    parser.add_argument(
        "--exclude", nargs="+", default=Compression.exclude, metavar="NAME", help="clips to leave out, as 'kitti_*'"
    )
    parser.add_argument(
        "--exclude-noncommercial",
        action="store_true",
        help="leave out clips that MANIFEST.json, beside or above them, licenses for non-commercial use only",
    )
    parser.add_argument("--ssim", action="store_true", help="measure SSIM too")
    parser.add_argument("--workers", type=int, default=Compression.workers, help="processes [%(default)s]")
    options = vars(parser.parse_args(argv))
    return Compression(**{**options, "qp": tuple(options["qp"]), "exclude": tuple(options["exclude"])})


def main(argv: list[str] | None = None) -> int:
    """Code the clips and write their index; our own errors become one message each."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("training").setLevel(logging.INFO)
    options, printer = parse_args(argv), ProgressPrinter()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is as clean as Ctrl-C
    try:
        outcome = compress(options, printer)
    except CvqeError as error:
        printer.end()
        print(f"compress: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        printer.end()
        print("compress: stopped; what is done is kept, type the same again to go on", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    printer.end()
    for failure in outcome.failures:
        print(f"compress: {failure}", file=sys.stderr)
    print(outcome.index)
    return int(outcome.exit_code)


if __name__ == "__main__":
    raise SystemExit(main())
