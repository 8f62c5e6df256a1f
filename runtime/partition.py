"""Show how an HEVC video was divided into blocks: its transform units and quantisers, drawn and counted.

$ python runtime/partition.py in.mp4
$ python runtime/partition.py in.mp4 --frame 0 10 20 -o FOLDER
$ python runtime/partition.py in.mp4 -o partition.mp4
$ python runtime/partition.py CLIPS --database FOLDER

Drawings are PNG files of chosen frames in a folder, or one of a single frame, or a video of all frames. Bright lines
begin coding units, faint ones transform units inside them; yellow where predicted inside the picture, white where from
others. Colours are the quantiser; hatched units were skipped. Statistics are shares of the shown area, in all frames.
With --database nothing is drawn: the partition of every frame of each clip is kept in FOLDER/CLIP.npz, whose form
docs/partition.md tells. A file that is newer than its clip and holds all that is asked for is kept: type the same again
after an interruption.

exit codes: 0 done, 1 error, 2 usage, 3 unreadable input, no video or none of HEVC, 4 partial: some pictures, frames or
clips could not be read, now or when a file was written that is kept, 130 interrupted
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode, UsageError
from runtime.decoder import Source
from runtime.partition_database import FAILED, Entry, exit_code, jobs_of, write_database
from runtime.partition_drawing import DEFAULT_QP_RANGE
from runtime.partition_run import DEFAULT_FRAMES, PartitionConfig, examine
from runtime.partition_sheet import PANELS, Sheet

_DRAWING = ("output", "frame", "panels", "scale", "crop", "qp_range")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; unset options are None, empty or False."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="+", help="an HEVC video; with --database also several, or folders")
    parser.add_argument(
        "-o", "--output", type=Path, help="folder, .png, or a video (.mp4, .mkv, .mov, .ts) [SOURCE.partition]"
    )
    parser.add_argument(
        "--frame", type=number_from(0), nargs="+", metavar="N", help=f"frames to draw {list(DEFAULT_FRAMES)}"
    )
    parser.add_argument(
        "--panels", choices=PANELS, nargs="+", help="side by side: decoded frame, grid, guided map [grid]"
    )
    parser.add_argument("--scale", type=number_from(1), help="pixels a pixel becomes [small pictures: about 1280 wide]")
    parser.add_argument(
        "--crop", type=number_from(0), nargs=4, metavar=("LEFT", "TOP", "WIDTH", "HEIGHT"), help="draw this part alone"
    )
    parser.add_argument(
        "--qp-range", type=int, nargs=2, metavar=("LOW", "HIGH"), help=f"ends of the colours {list(DEFAULT_QP_RANGE)}"
    )
    parser.add_argument("--statistics-only", action="store_true", help="draw nothing")
    parser.add_argument("--per-frame", action="store_true", help="statistics of each frame, too")
    parser.add_argument("--frames", type=number_from(1), help="stop after so many [all]")
    parser.add_argument("--database", type=Path, metavar="FOLDER", help="keep the partitions of all clips there")
    parser.add_argument("--threads", type=number_from(0), default=0, help="for decoding; 0: all processors [0]")
    parser.add_argument("--overwrite", action="store_true", help="replace existing outputs")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    return parser.parse_args(argv)


def number_from(lowest: int) -> Callable[[str], int]:
    """Return what reads a whole number for argparse."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {lowest} up")
        return int(text)

    return read


def config_from(options: argparse.Namespace) -> PartitionConfig:
    """Turn options into what to do with one clip.

    Raises:
        UsageError: there are several clips, values that are none, or options that exclude each other.
    """
    if len(options.source) > 1:
        raise UsageError(f"{len(options.source)} videos are given and one is drawn; for several:  --database FOLDER")
    if options.statistics_only:
        _refuse(options, _DRAWING, "--statistics-only")
    low, high = options.qp_range or DEFAULT_QP_RANGE
    if low >= high:
        raise UsageError(f"--qp-range {low} {high} is empty; give the lower quantiser first:  --qp-range 22 42")
    if options.crop and not (options.crop[2] and options.crop[3]):
        raise UsageError(f"--crop {' '.join(map(str, options.crop))} is empty; width and height come last")
    return PartitionConfig(
        options.source[0],
        options.output,
        tuple(options.frame or ()),
        Sheet(
            panels=tuple(options.panels or Sheet.panels),
            scale=options.scale,
            crop=tuple(options.crop) if options.crop else None,
            qp_range=(low, high),
        ),
        draws=not options.statistics_only,
        frames=options.frames,
        per_frame=options.per_frame,
        threads=options.threads,
        overwrite=options.overwrite,
    )


def show(options: argparse.Namespace) -> ExitCode:
    """Draw and count one clip."""
    shown = time.monotonic()

    def tell(n_frames: int, source: Source) -> None:
        nonlocal shown
        if sys.stderr.isatty() and time.monotonic() - shown > 0.5:
            shown = time.monotonic()
            claimed = source.info.n_frames_claimed
            print(f"\r{n_frames}{f' of {claimed}' if claimed else ''} frames ", end="", file=sys.stderr, flush=True)

    try:
        summary = examine(config_from(options), tell)
    finally:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(json.dumps(summary.as_dict(), indent=2) if options.json else summary)
    return summary.exit_code


def collect(options: argparse.Namespace) -> ExitCode:
    """Write the data base.

    Raises:
        UsageError: options that are about drawing.
    """
    _refuse(options, (*_DRAWING, "per_frame", "statistics_only"), "--database")

    def tell(entry: Entry) -> None:
        is_result = entry.action != FAILED and not options.json
        print(entry, file=sys.stdout if is_result else sys.stderr, flush=True)

    jobs = jobs_of(options.source, options.database)
    entries = write_database(jobs, options.threads, options.frames, options.overwrite, tell)
    if options.json:
        print(json.dumps([entry.as_dict() for entry in entries], indent=2))
    return exit_code(entries)


def _refuse(options: argparse.Namespace, names: Sequence[str], mode: str) -> None:
    given = [name for name in names if getattr(options, name)]
    if given:
        raise UsageError(f"{mode} draws nothing and takes no --{given[0].replace('_', '-')}; leave one of them out")


def main(argv: list[str] | None = None) -> int:
    """Look at one clip, or collect from many; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    options = parse_args(argv)
    try:
        return int(collect(options) if options.database else show(options))
    except CvqeError as error:
        print(f"partition: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("partition: stopped; nothing half-written is left", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    raise SystemExit(main())
