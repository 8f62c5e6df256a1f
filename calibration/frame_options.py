"""The options that say which frames are drawn, alike in every script that calibrates."""

import argparse
from pathlib import Path
from typing import Any


def add_frame_options(parser: argparse.ArgumentParser, default: Any) -> None:
    """Add clips, QPs, counts and the seed to a command line.

    Args:
        default: the configuration whose n_frames, n_judged, qps and seed stand for what is not typed.
    """
    add = parser.add_argument
    add("--clips", type=Path, required=True, help="folder of pristine training clips")
    add("--coded", type=Path, required=True, help="folder of their coded versions")
    add("--qp", dest="qps", type=int, nargs="+", default=default.qps, help="QPs to read [22 27 ... 42, if trained on]")
    add("--frames", dest="n_frames", type=int, default=default.n_frames, help="to calibrate on [%(default)s]")
    add("--judged", dest="n_judged", type=int, default=default.n_judged, help="frames to judge by [%(default)s]")
    add("--seed", type=int, default=default.seed, help="of every choice [%(default)s]")


def add_coding_options(parser: argparse.ArgumentParser, default: Any) -> None:
    """Add how clips were coded, and which of them are taken; `default` has configurations and only."""
    add = parser.add_argument
    add(
        "--configuration",
        dest="configurations",
        nargs="+",
        default=default.configurations,
        help=f"how the clips were coded [{' '.join(default.configurations)}]",
    )
    add("--only", nargs="+", default=default.only, help="patterns of clips to take, as 'davis_*' [all]")
