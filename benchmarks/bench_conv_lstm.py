"""Measure what MGANet's ConvLSTM saves by computing only what the middle frame needs: multiply-accumulates and time.

$ python benchmarks/bench_conv_lstm.py
$ python benchmarks/bench_conv_lstm.py --rounds 9 --threads 1

The plain version runs both directions over all frames, convolves cat(frame, hidden) at every step, and begins with a
state of zeros that it multiplies like any other. Both compute the same: first that is checked. The full network's
features are those of a 416x240 picture, 64 channels on every pixel; the slim one's 32 on every other.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import report
from cvqe.layers.conv_lstm import BidirectionalCell
from cvqe.macs import count_macs
from cvqe.models import create

PACKAGES = ("torch",)
PICTURE = (240, 416)  # height and width
LARGEST_DIFFERENCE = 1e-5  # float32 sums of some hundred products in another order
OURS, PLAIN = "ours", "plain"
Cell = Callable[[nn.Module, Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Case:
    """One network, whose cell is measured."""

    name: str
    options: dict[str, int]

    @property
    def n_frames(self) -> int:
        """Frames that the cell sees."""
        return 2 * self.options["radius"] + 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the features."""
        height, width = (side // self.options["shrink"] for side in PICTURE)
        return height, width


FULL, SLIM = {"channels": 64, "shrink": 1, "levels": 4}, {"channels": 32, "shrink": 2, "levels": 3}
CASES = tuple(
    Case(f"{title}, F{2 * radius + 1}", {"radius": radius, **options})
    for title, options in (("mganet", FULL), ("mganet slim", SLIM))
    for radius in (1, 2)
)


@dataclass(frozen=True)
class BenchConfig:
    """How much to measure, and where the results go."""

    rounds: int = 7
    threads: int = 2
    output: Path = report.ROOT / "benchmarks" / "results" / "conv_lstm.csv"


def ours(cell: nn.Module, features: Sequence[Tensor]) -> Tensor:
    """Return what the network computes."""
    merged: Tensor = cell(features)
    return merged


def plain(cell: nn.Module, features: Sequence[Tensor]) -> Tensor:
    """Return the same as equations (3) to (8) of the paper are written, every frame in both directions."""
    middle = len(features) // 2
    ways = (list(plain_direction(cell, way)) for way in (features, features[::-1]))
    merged: Tensor = cell.conv_concat(torch.cat([hidden[middle] for hidden in ways], 1))
    return merged


def plain_direction(cell: nn.Module, features: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the hidden state behind every frame."""
    hidden = state = torch.zeros_like(features[0])
    for frame in features:
        write, forget, read, candidate = cell.conv(torch.cat([frame, hidden], 1)).chunk(4, 1)
        state = torch.sigmoid(forget) * state + torch.sigmoid(write) * torch.tanh(candidate)
        hidden = torch.sigmoid(read) * torch.tanh(state)
        yield hidden


def difference(cell: nn.Module, features: Sequence[Tensor]) -> float:
    """Return the largest difference between the two.

    Raises:
        SystemExit: they do not compute the same, and no time of theirs means anything.
    """
    with torch.inference_mode():
        found = float((ours(cell, features) - plain(cell, features)).abs().max())
    if not found <= LARGEST_DIFFERENCE:
        raise SystemExit(f"bench_conv_lstm: the outputs differ by {found:.2g}; nothing is reported.")
    return found


def cell_macs(compute: Cell, case: Case) -> int:
    """Return the multiply-accumulates of one call, counted without computing."""
    with torch.device("meta"):
        cell, features = cell_and_features(case)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        compute(cell, features)
    flops: int = counter.get_total_flops()
    return flops // 2


def cell_and_features(case: Case) -> tuple[nn.Module, list[Tensor]]:
    """Return a cell with fresh weights, and frames for it."""
    torch.manual_seed(0)
    channels = case.options["channels"]
    return BidirectionalCell(channels), [torch.randn(1, channels, *case.size) for _ in range(case.n_frames)]


def network_macs(case: Case) -> dict[str, int]:
    """Return the multiply-accumulates of the whole network with either cell."""
    with torch.device("meta"):
        network = count_macs(create("mganet", **case.options), *PICTURE)
    return {OURS: network, PLAIN: network - cell_macs(ours, case) + cell_macs(plain, case)}


def macs_rows(case: Case) -> Iterator[report.Row]:
    """Count the cell, and the whole network with either."""
    of_network = network_macs(case)
    for provider, compute in ((OURS, ours), (PLAIN, plain)):
        yield single(case, provider, "cell", "GMAC", cell_macs(compute, case) / 1e9)
        yield single(case, provider, "network", "GMAC", of_network[provider] / 1e9)


def time_rows(case: Case, rounds: int) -> Iterator[report.Row]:
    """Compare the outputs, then time both in turns."""
    cell, features = cell_and_features(case)
    yield single(case, OURS, "largest difference", "", difference(cell, features))

    def run(compute: Cell) -> object:
        with torch.inference_mode():
            return compute(cell, features)

    timings = report.interleaved_ms({OURS: lambda: run(ours), PLAIN: lambda: run(plain)}, rounds, warm_ups=1)
    for provider, timing in timings.items():
        yield report.row(case.name, provider, "time", "ms", timing, PACKAGES)


def single(case: Case, provider: str, metric: str, unit: str, value: float) -> report.Row:
    """Return a row of one number."""
    return report.row(case.name, provider, metric, unit, report.Timing(value, value, value), PACKAGES)


def bench(config: BenchConfig) -> Iterator[report.Row]:
    """Measure every case, printing as it goes."""
    torch.set_num_threads(config.threads)
    for case in CASES:
        for rows in (macs_rows(case), time_rows(case, config.rounds)):
            for row in rows:
                print(f"{row.case:16} {row.provider:6} {row.metric:20} {row.median:10.4g} {row.unit}")
                yield row


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=BenchConfig.rounds, help="of each case [%(default)s]")
    parser.add_argument("--threads", type=int, default=BenchConfig.threads, help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to add to [%(default)s]")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure and add rows to the CSV."""
    config = parse_args(argv)
    report.append_rows(config.output, list(bench(config)))  # all, or none
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
