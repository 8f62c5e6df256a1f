"""Enhance a compressed video: same frames, same time stamps, all other streams kept, better pictures.

$ python runtime/stream.py in.mp4
$ python runtime/stream.py in.mp4 -o better.mp4 --reference original.mkv

A network that takes a guide (MGANet) gets the means of HEVC's own transform units, read from the bitstream; of other
codecs, and of damaged pictures, a fixed grid's instead, which is said and counted.

exit codes: 0 done, 1 error, 2 usage, 3 unreadable input, no video, or damage with --strict, 4 partial, 5 done but
frames fell back to the decoded ones, 130 interrupted (what was done is kept as OUT.partial.<ext>)
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode
from runtime.backend_list import BACKENDS
from runtime.decoder import Source
from runtime.pipeline import Progress
from runtime.run import StreamConfig, stream
from runtime.summary import Summary


def parse_args(argv: list[str] | None = None) -> tuple[StreamConfig, bool]:
    """Read the command line; unset options keep StreamConfig's defaults. The flag is --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = StreamConfig
    parser.add_argument("source", type=Path, help="video to enhance")
    parser.add_argument("-o", "--output", type=Path, default=default.output, help="[SOURCE.enhanced.<same container>]")
    parser.add_argument("--model", default=default.model, help="a shipped one, FILE.onnx or FILE.engine [%(default)s]")
    parser.add_argument("--backend", default=default.backend, help=f"auto, {', '.join(BACKENDS)} [%(default)s]")
    parser.add_argument(
        "--precision",
        default=default.precision,
        help="auto, fp32, bf16 or fp16 [%(default)s]; int8 needs a calibrated file",
    )
    parser.add_argument(
        "--qp",
        type=qp_or_auto,
        default=default.qp,
        help="QP that the input was coded at: chooses among a network's files, and is told to a network that takes one "
        "[auto: what the bitstream of H.264, HEVC or VP9 says, for the choice its first frames, then frame by frame]",
    )
    parser.add_argument("--encoder", default=default.encoder, help="[libx264; more than 8 bit: libx265]")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--crf", type=crf, default=default.crf, help="quality of the output, lower is better [14; SVT-AV1: 17]"
    )
    rate.add_argument(
        "--encoder-qp", type=whole_number(0, 255), default=default.encoder_qp, help="constant quantiser instead"
    )
    parser.add_argument("--preset", default=default.preset, help="the encoder's own [veryfast; SVT-AV1: 8]")
    parser.add_argument(
        "--threads",
        type=whole_number(0, 1024),
        default=default.threads,
        help="per stage; 0: all processors [%(default)s]",
    )
    parser.add_argument("--frames", type=whole_number(1), default=default.frames, help="stop after so many [all]")
    parser.add_argument(
        "--ahead", type=whole_number(1, 64), default=default.ahead, help="frames put into the ring early [%(default)s]"
    )
    parser.add_argument("--reference", type=Path, default=default.reference, help="pristine original: prints the gain")
    parser.add_argument(
        "--scene-cuts",
        action=argparse.BooleanOptionalAction,
        default=default.scene_cuts,
        help="let no frame be enhanced by those of another scene [yes]",
    )
    parser.add_argument(
        "--split", action="store_true", help="write the left half as decoded, beside the enhanced right"
    )
    damage = parser.add_mutually_exclusive_group()
    damage.add_argument("--strict", action="store_true", help="stop with an error at the first damaged frame")
    damage.add_argument("--allow-partial", action="store_true", help="exit code 0 though the input ends early")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    options = vars(parser.parse_args(argv))
    as_json = options.pop("json")
    return StreamConfig(**options), as_json


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number within bounds for argparse."""
    bounds = f"from {lowest} up" if highest is None else f"from {lowest} to {highest}"

    def read(text: str) -> int:
        is_number = text.strip().lstrip("-").isdecimal()
        if not is_number or int(text) < lowest or (highest is not None and int(text) > highest):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number {bounds}")
        return int(text)

    return read


def qp_or_auto(text: str) -> int | None:
    """Read --qp: a quantiser of the HEVC scale, or `auto` for what the stream tells."""
    if text == "auto":
        return None
    try:
        return whole_number(0, 51)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor auto") from error


def crf(text: str) -> float:
    """Read --crf: from 0 to 63, the widest scale an encoder has."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 63:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 63")
    return value


def show_start(summary: Summary) -> None:
    """Say what will run, before it does."""
    print(f"{summary.model} by {summary.backend} in {summary.precision}: {summary.reason}", file=sys.stderr)


class ProgressLine:
    """One line, rewritten twice a second on a terminal; into a file, a line every ten seconds."""

    def __init__(self) -> None:
        self.start = self.shown = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def __call__(self, progress: Progress, source: Source) -> None:
        """Show frames and frames a second so far."""
        now = time.monotonic()
        if now - self.shown < (0.5 if self.is_terminal else 10.0):
            return
        self.shown = now
        total = source.info.n_frames_claimed
        of_total = f" of {total}" if total else ""
        line = f"{progress.n_written}{of_total} frames, {progress.n_written / (now - self.start):.1f} frames/s"
        print(
            f"\r{line} " if self.is_terminal else line,
            end="" if self.is_terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def clear(self) -> None:
        """Make room for what is said next."""
        if self.is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Enhance one file; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    config, as_json = parse_args(argv)
    line = ProgressLine()
    try:
        summary = stream(config, show_start, line)
    except CvqeError as error:
        line.clear()
        print(f"stream: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        line.clear()
        print("stream: stopped; nothing was kept", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    line.clear()
    print(json.dumps(summary.as_dict(), indent=2) if as_json else summary)
    return int(summary.exit_code)


if __name__ == "__main__":
    raise SystemExit(main())
