"""Train variants of one recipe on one equal budget and measure them alike: the studies of MGANet's paper.

$ python training/compress.py CLIPS --configuration ai --transform-depth 3 --qp 37 --output data/train
$ python training/compress.py TEST_CLIPS --configuration ai --transform-depth 3 --qp 35 36 37 38 39 --output data/test
$ python training/studies.py CLIPS --coded data/train --test TEST_CLIPS --test-coded data/test --output out/studies

and compress.py the same twice with --configuration ldp-hm. A variant that is there is kept, a stopped one goes on.
OUTPUT gets a folder for each coding with the checkpoints and their recipes, and evaluation/; RESULTS three CSV files of
all that is there: means over clips, clips, and the frames of one clip.

exit codes: 0 done, 1 error, 2 usage, 3 an unreadable or missing clip, 130 interrupted
"""

import argparse
import logging
import signal
import sys
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode
from training.evaluate import frame_notes, show_done, show_note
from training.evaluation.evaluation import Hooks
from training.evaluation.provenance import command_line
from training.evaluation.torch_network import PRECISIONS
from training.study.study_run import StudyOptions, run_study

STUDY = Path(__file__).resolve().parent / "study" / "mganet_studies.toml"


def parse_args(argv: list[str] | None = None) -> StudyOptions:
    """Read the command line; unset options keep StudyOptions' defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = StudyOptions
    parser.add_argument("clips", type=Path, help="folder of pristine clips to train on")
    parser.add_argument("--coded", type=Path, required=True, help="folder of their coded versions")
    parser.add_argument("--test", type=Path, required=True, help="folder of pristine clips to measure on")
    parser.add_argument("--test-coded", type=Path, required=True, help="folder of their coded versions")
    parser.add_argument("--output", type=Path, required=True, help="folder for networks and measurements")
    parser.add_argument("--results", type=Path, default=default.results, help="folder for the CSV files [OUTPUT]")
    parser.add_argument("--config", type=Path, default=STUDY, help="study, .toml [training/study/mganet_studies.toml]")
    parser.add_argument(
        "--only", nargs="+", default=default.only, metavar="NAME", help="variants, as f3 'f5*' ai-tu3/f3 [all]"
    )
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument(
        "--frames", type=int, default=default.frames, help="first frames of each test clip [the study's]"
    )
    parser.add_argument("--cache", type=Path, help="folder for decoded clips [CODED/cache]")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=default.device, help="[%(default)s]")
    parser.add_argument(
        "--precision", choices=("auto", *PRECISIONS), default=default.precision, help="of measuring [%(default)s: fp32]"
    )
    parser.add_argument("--threads", type=int, default=default.threads, help="CPU threads, 0 for all [%(default)s]")
    options: dict[str, Any] = vars(parser.parse_args(argv))
    lists = {name: tuple(value) for name, value in options.items() if isinstance(value, list)}
    return StudyOptions(**{**options, **lists})


def main(argv: list[str] | None = None) -> int:
    """Study; our own errors become one message."""
    logging.basicConfig(level=logging.INFO, format="studies: %(message)s", stream=sys.stderr)
    options = parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is as clean as Ctrl-C
    command = command_line("training/studies.py", sys.argv[1:] if argv is None else argv)
    hooks = Hooks(show_note, show_done, frame_notes())
    try:
        paths = run_study(options, command, hooks)
    except CvqeError as error:
        print(f"studies: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("studies: stopped; what is there is kept, type the same again to go on", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    print(*paths, sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
