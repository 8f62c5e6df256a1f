"""Measure what networks, enhanced videos and FFmpeg's filters gain over decoded clips, and make the field's tables.

$ python training/compress.py TEST_CLIPS --qp 22 27 32 37 42 --output data/test
$ python training/evaluate.py TEST_CLIPS --coded data/test --model weights/live.onnx --output out/evaluation
$ python training/evaluate.py original.mkv --coded decoded.mp4 --pair enhanced.mp4 --output out/pair

CLIPS and CODED are two folders (CODED as training/compress.py writes it), or two files. OUTPUT gets results.csv,
frames.csv, bd_rate.csv, tables.md and plots/; what an earlier run measured there is kept and stands in the same tables,
as long as files and networks are the same. A run that was stopped goes on when the same is typed again.

exit codes: 0 done, 1 error, 2 usage, 3 an unreadable or missing clip, 130 interrupted
"""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode
from training.evaluation.evaluation import Evaluation, Hooks, evaluate
from training.evaluation.ffmpeg_filter import STRENGTHS
from training.evaluation.network_windows import GUIDES
from training.evaluation.provenance import command_line
from training.evaluation.run import Done, Job

FRAME_NOTE_S = 5.0  # a slow network is heard of this often


def parse_args(argv: list[str] | None = None) -> Evaluation:
    """Read the command line; unset options keep Evaluation's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Evaluation
    parser.add_argument("clips", type=Path, help="folder of pristine clips, or one of them")
    parser.add_argument("--coded", type=Path, required=True, help="folder of their coded versions, or one of them")
    parser.add_argument("--output", type=Path, required=True, help="folder for results; goes on with what is there")
    _add_subjects(parser)
    parser.add_argument(
        "--configuration", nargs="+", default=default.configuration, help="coding configurations, as ldp ldp-hm [ldp]"
    )
    parser.add_argument("--qp", type=int, nargs="+", default=default.qp, help="quantisers [22 27 32 37 42]")
    parser.add_argument("--only", nargs="+", default=default.only, metavar="CLIP", help="clips, as 'foreman_*' [all]")
    parser.add_argument("--frames", type=int, default=default.frames, help="first frames of each clip [all]")
    parser.add_argument("--vmaf", action="store_true", help="measure VMAF and VMAF-NEG too (slow; needs vmaf-torch)")
    parser.add_argument("--no-plots", dest="plots", action="store_false", help="write CSV and tables alone")
    parser.add_argument("--backend", default=default.backend, help="of .onnx networks, as for stream.py [%(default)s]")
    parser.add_argument("--precision", default=default.precision, help="of networks; checkpoints: fp32 [%(default)s]")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default=default.device, help="of checkpoints [%(default)s]"
    )
    parser.add_argument(
        "--guide",
        choices=GUIDES,
        default=default.guide,
        help="what guides networks that take a guided map: transform units, or the grid that stands in [%(default)s]",
    )
    parser.add_argument(
        "--workers", type=int, default=default.workers, help="processes; more than one disturb the times [%(default)s]"
    )
    parser.add_argument("--threads", type=int, default=default.threads, help="of a worker, 0: its share [%(default)s]")
    options: dict[str, Any] = vars(parser.parse_args(argv))
    lists = {name: tuple(value) for name, value in options.items() if isinstance(value, list)}
    return Evaluation(**{**options, **lists})


def _add_subjects(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        metavar="[LABEL=]FILE",
        help="networks: .onnx, a shipped one's name, or a checkpoint (.pt, .safetensors)",
    )
    parser.add_argument(
        "--pair",
        nargs="+",
        action="extend",
        default=[],
        metavar="[LABEL=]PATH",
        help="videos enhanced elsewhere: a folder laid out like CODED, or a file where CODED is one",
    )
    parser.add_argument(
        "--peer",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILTER[=OPTIONS]",
        help=f"FFmpeg's filters: {', '.join(STRENGTHS)}, or any other with its options",
    )


def show_done(done: Done) -> None:
    """Say what a job measured, one line."""
    measured, width = done.measurement, len(str(done.n_jobs))
    case = measured.case
    coding = case.configuration if case.qp is None else f"{case.configuration}_qp{case.qp}"
    gain = "" if done.gain_db is None else f"  {done.gain_db:+.3f} dB"
    speed = "" if measured.ms_per_frame is None else f"  {measured.ms_per_frame:.1f} ms a frame"
    name = f"{coding} {case.clip}  {measured.subject.name}"
    _clear_line()
    print(f"[{done.number:{width}}/{done.n_jobs}] {name}  {measured.n_frames} frames{gain}{speed}", file=sys.stderr)


def frame_notes() -> Callable[[Job, int], None]:
    """Return what says, every few seconds, how far a job is; on a terminal alone."""
    last = time.monotonic()

    def note(job: Job, number: int) -> None:
        nonlocal last
        if sys.stderr.isatty() and time.monotonic() - last > FRAME_NOTE_S:
            last = time.monotonic()
            _clear_line()
            print(f"{job.case.coding} {job.case.clip}  {job.subject.name}: frame {number}", end="", file=sys.stderr)

    return note


def _clear_line() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


def show_note(note: str) -> None:
    """Say a sentence."""
    print(note, file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """Evaluate; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    options = parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is as clean as Ctrl-C
    command = command_line("training/evaluate.py", sys.argv[1:] if argv is None else argv)
    try:
        page = evaluate(options, command, Hooks(show_note, show_done, frame_notes()))
    except CvqeError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("evaluate: stopped; what is measured is kept, type the same again to go on", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    print(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
