"""Compile the CUDA kernels of every network's deformable convolutions, and count what they take; needs no GPU.

$ python benchmarks/bench_kernel_compile.py --capabilities 80 89 90

One row for a problem, a compute capability and an entry point: what the machine code takes, and the bytes that a 720p
frame moves. `saved_split_bytes` and `saved_sigmoid_bytes` are the passes of the standard nodes that a packed problem
does without. Counts, not timings: no GPU has run anything.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.kernel_cases import CAPABILITIES, FRAME, NETWORK_CASES, plain, saved_bytes
from benchmarks.kernel_resources import resources
from plugins.deform_conv.compiler import compile_kernel
from plugins.deform_conv.problem import Problem


@dataclass(frozen=True)
class BenchConfig:
    """Which GPUs to compile for, and where the table goes."""

    capabilities: tuple[int, ...] = CAPABILITIES
    output: Path = report.ROOT / "benchmarks" / "results" / "kernel_compile.csv"


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capabilities", type=int, nargs="+", default=BenchConfig.capabilities, help="as in 80 89")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to write [%(default)s]")
    arguments = parser.parse_args(argv)
    return BenchConfig(tuple(arguments.capabilities), arguments.output)


def problems(capabilities: Iterable[int]) -> Iterator[tuple[str, Problem, int]]:
    """Yield every network's problems for every GPU: first packed, then as standard nodes, then in float."""
    as_they_are = tuple(NETWORK_CASES.items())
    standard = tuple((name, plain(problem)) for name, problem in as_they_are if problem.packed)
    wide = tuple((name, replace(problem, dtype="fp32")) for name, problem in as_they_are if problem.dtype == "fp16")
    for cases, capability in product((as_they_are, standard, wide), capabilities):
        for name, problem in cases:
            yield name, problem, capability


def rows_of(name: str, problem: Problem, capability: int, git_sha: str) -> Iterator[dict[str, Any]]:
    """Compile one problem and yield a row for each of its entry points."""
    split_bytes, sigmoid_bytes = saved_bytes(problem, *FRAME)
    for entry, used in resources(compile_kernel(problem, capability)).items():
        yield {
            "case": name,
            "inputs": "packed" if problem.packed else f"mask {problem.mask}",
            "dtype": problem.dtype,
            "compute_capability": capability,
            "entry": entry,
            **asdict(used),
            "frame_bytes": problem.traffic_bytes(1, *FRAME),
            "saved_split_bytes": split_bytes,
            "saved_sigmoid_bytes": sigmoid_bytes,
            "versions": report.versions(["triton"]),
            "git_sha": git_sha,
        }


def main(argv: list[str] | None = None) -> int:
    """Compile everything for every GPU and write one table."""
    config = parse_args(argv)
    rows: list[dict[str, Any]] = []
    git_sha = report.git_sha()  # of the code that runs, whatever is committed meanwhile
    for name, problem, capability in problems(config.capabilities):
        rows += rows_of(name, problem, capability, git_sha)
        last = rows[-2]
        print(
            f"sm_{capability} {name:24} {last['inputs']:12} {problem.dtype}: {last['registers']} registers, "
            f"{last['spill_bytes']} bytes spilled, {last['tensor_cores'] or 'no tensor cores'}",
            file=sys.stderr,
        )
        report.write_rows(config.output, rows)  # what is done is kept: all of it takes a quarter of an hour
    print(config.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
