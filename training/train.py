"""Train a network on coded clips.

$ python training/train.py --config training/configs/live.toml CLIPS --coded data/train --output out/live.pt
$ python training/train.py --config training/configs/live.toml --windows out/windows_*.npz --output out/live.pt
$ torchrun --nproc-per-node 2 training/train.py --config ...    several GPUs, or several processes on a CPU

Beside the checkpoint lie its log (.csv), its TensorBoard folder, and the state that --resume goes on from.
"""

import argparse
import logging
import os
import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode
from training.run import Training, run_training


def parse_args(argv: list[str] | None = None) -> Training:
    """Read the command line; unset options keep Training's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?", help="folder of pristine .mkv clips")
    parser.add_argument("--config", type=Path, required=True, help="recipe, .toml (training/configs)")
    parser.add_argument("--coded", type=Path, help="folder that training/compress.py wrote")
    parser.add_argument(
        "--windows", type=Path, nargs="+", default=(), help="packs of training/pack.py instead of clips"
    )
    parser.add_argument("--output", type=Path, required=True, help="checkpoint to write, .pt")
    parser.add_argument("--resume", action="store_true", help="go on exactly where this --output was stopped")
    parser.add_argument("--init", type=Path, help="checkpoint or .onnx whose weights to start from")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--cache", type=Path, help="folder for decoded clips [CODED/cache]")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=Training.device, help="[%(default)s]")
    parser.add_argument("--threads", type=int, default=Training.threads, help="CPU threads, 0 for all [%(default)s]")
    return Training(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Train; our own errors become one message."""
    logging.basicConfig(level=logging.INFO, format="train: %(message)s")
    try:
        path = run_training(parse_args(argv))
        if os.environ.get("RANK", "0") == "0":
            print(path)
    except CvqeError as error:
        print(f"train: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("train: stopped; add --resume to go on from the last state saved", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
