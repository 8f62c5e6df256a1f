"""Train the papers' networks on one equal budget and measure them alike: Tables I to III of TGAFNet, 4 of MGANet.

$ python training/compress.py CLIPS --configuration ldp-hm --output data/train
$ python training/compress.py CLIPS --configuration ai --transform-depth 3 --qp 37 --output data/train
$ python benchmarks/table1.py CLIPS --coded data/train --test TEST_CLIPS --test-coded data/test
$ python benchmarks/make_tables.py

and compress.py the same twice with TEST_CLIPS and data/test. It is training/studies.py with
training/study/comparison.toml, whose options it takes too; networks and measurements go to out/comparison, the rows of
the tables to benchmarks/results. What is there is kept; a copy of weights/comparison in out/comparison is gone on from.
"""

import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.report import ROOT
from training import studies

DEFAULTS = {
    "--config": ROOT / "training" / "study" / "comparison.toml",
    "--output": ROOT / "out" / "comparison",
    "--results": ROOT / "benchmarks" / "results",
}


def main(argv: list[str] | None = None) -> int:
    """Run the study; what is typed comes later than the defaults, so it counts."""
    defaults = [word for option, path in DEFAULTS.items() for word in (option, str(path))]
    return studies.main([*defaults, *(sys.argv[1:] if argv is None else argv)])


if __name__ == "__main__":
    raise SystemExit(main())
