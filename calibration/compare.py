"""Lay a network and its calibrated version side by side: quality on coded clips, layers, speed, size.

$ python training/compress.py TEST_CLIPS --qp 22 27 32 37 42 --output data/test
$ python calibration/compare.py --onnx weights/live.onnx --clips TEST_CLIPS --coded data/test --output out/int8

The network is measured in float32, as it runs here by itself (bf16 or fp16 where the processor has it), and as
FILE_int8.onnx beside FILE.onnx, or --quantised. OUTPUT gets quality.csv, layers.csv, speed.csv, files.csv, their tables
in comparison.md, and a chart. What was measured there before is kept while clips and networks are the same, so that
runs of other --configuration and --qp add to it; what another backend or other --frames gave is left out.

exit codes: 0 done, 1 error, 2 usage, 3 an unreadable or missing clip, 130 interrupted
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from calibration.comparison import Comparison, compare
from cvqe.errors import CvqeError, ExitCode
from runtime.option_values import frame_size, whole_number
from training.evaluation.evaluation import Hooks
from training.evaluation.provenance import command_line
from training.evaluation.run import Done, Job


def parse_args(argv: list[str] | None = None) -> Comparison:
    """Read the command line; unset options keep Comparison's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Comparison
    parser.add_argument("--onnx", type=Path, required=True, help="the network that was calibrated")
    parser.add_argument("--quantised", type=Path, default=default.quantised, help="[FILE_int8.onnx beside it]")
    parser.add_argument("--clips", type=Path, required=True, help="folder of pristine clips, none that it learnt from")
    parser.add_argument("--coded", type=Path, required=True, help="folder of their coded versions")
    parser.add_argument("--output", type=Path, required=True, help="folder for results; goes on with what is there")
    parser.add_argument("--configuration", nargs="+", default=default.configuration, help="as ldp ldp-hm [ldp]")
    parser.add_argument("--qp", type=int, nargs="+", default=default.qp, help="quantisers [22 27 32 37 42]")
    parser.add_argument("--only", nargs="+", default=default.only, metavar="CLIP", help="clips, as 'foreman_*' [all]")
    parser.add_argument("--frames", type=int, default=default.frames, help="first frames of each clip [all]")
    parser.add_argument(
        "--sizes", type=frame_size, nargs="+", default=default.sizes, metavar="WxH", help="timed [416x240 1280x720]"
    )
    parser.add_argument("--rounds", type=whole_number(1), default=default.rounds, help="of timing [%(default)s]")
    parser.add_argument("--workers", type=int, default=default.workers, help="processes that measure [%(default)s]")
    options: dict[str, Any] = vars(parser.parse_args(argv))
    lists = {name: tuple(value) for name, value in options.items() if isinstance(value, list)}
    return Comparison(**{**options, **lists})


def show_done(done: Done) -> None:
    """Say what was measured, one line."""
    case, gain = done.measurement.case, "" if done.gain_db is None else f"  {done.gain_db:+.3f} dB"
    name = f"{case.configuration}_qp{case.qp} {case.clip}  {done.measurement.subject.name}"
    print(f"[{done.number}/{done.n_jobs}] {name}{gain}", file=sys.stderr)


def show_note(note: str) -> None:
    """Say a sentence."""
    print(note, file=sys.stderr)


def ignore_frame(_job: Job, _number: int) -> None:
    """Say nothing of single frames."""


def main(argv: list[str] | None = None) -> int:
    """Compare; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    config = parse_args(argv)
    command = command_line("calibration/compare.py", sys.argv[1:] if argv is None else argv)
    try:
        page = compare(config, command, Hooks(show_note, show_done, ignore_frame))
    except CvqeError as error:
        print(f"compare: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("compare: stopped; what is measured is kept, type the same again to go on", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    print(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
