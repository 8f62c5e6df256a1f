"""Feed damaged streams to the partition reader and look at all that it returns.

$ NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(mktemp -d) python -m tests.runtime.hevc.fuzz --runs 20000

With NUMBA_BOUNDSCHECK compiled code raises where an index leaves its array; it needs a cache folder of its own.
"""

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from cvqe.partition import CELL_PX, MODES, Partition
from runtime.hevc.guided_map import guided_map
from runtime.hevc.partition_reader import PartitionReader
from tests.runtime.hevc.noise import damaged
from tests.runtime.hevc.oracles import REQUIRED
from tests.runtime.hevc.streams import HM_TREES, HevcStream, in_container, kvazaar_binary, kvazaar_stream, x265_stream

SMALL = (104, 72)
MAX_SIDE_PX = 16384
_KVAZAAR = ("qp=30,tiles=2x2,slices=tiles", "qp=30,wpp=1,slices=wpp,gop=8", "lossless=1,implicit-rdpcm=1")


@dataclass
class Findings:
    """What came of damaged streams.

    Attributes:
        pictures: returned; `whole` of them without an error, `refused` are packets that gave none.
        peak_memory_mb: of the whole process.
    """

    runs: int = 0
    pictures: int = 0
    whole: int = 0
    refused: int = 0
    slowest_s: float = 0
    peak_memory_mb: float = 0


class Unsound(AssertionError):
    """A picture that can't be, or an exception; says how to see it again."""


def corpus() -> list[HevcStream]:
    """Return small streams with every tool that the encoders at hand have."""
    low_delay = x265_stream(f"qp=32:bframes=0:{HM_TREES}", SMALL, 4)
    made = [
        low_delay,
        in_container(low_delay, "mp4"),
        x265_stream("crf=28:aq-mode=2:qg-size=8:slices=2:ctu=16:bframes=3:weightb=1:amp=1:rect=1", SMALL, 5),
        x265_stream(f"qp=27:keyint=1:tskip=1:cu-lossless=1:{HM_TREES}", SMALL, 2, "yuv444p10le"),
        x265_stream("qp=30:scaling-list=default:ctu=32:repeat-headers=1:keyint=2", (66, 50), 4, "yuv422p"),
        x265_stream("lossless=1", (64, 64), 2, "gray"),
    ]
    has_kvazaar = REQUIRED or kvazaar_binary()
    return made + ([kvazaar_stream(params, SMALL, 3) for params in _KVAZAAR] if has_kvazaar else [])


def fuzz(streams: list[HevcStream], seed: int, runs: int, seconds: float = float("inf")) -> Findings:
    """Damage and read streams, so often or so long.

    Raises:
        Unsound: the reader raised, or returned what can't be.
    """
    findings, end = Findings(), time.monotonic() + seconds
    while findings.runs < runs and time.monotonic() < end:
        random = Random(f"{seed}/{findings.runs}")
        stream = damaged(random.choice(streams), random.choice(streams), random)
        try:
            _read(stream, findings)
        except Exception as error:
            raise Unsound(f"seed {seed}, run {findings.runs}: {type(error).__name__}: {error}") from error
        findings.runs += 1
    findings.peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return findings


def _read(stream: HevcStream, findings: Findings) -> None:
    start = time.monotonic()
    reader = PartitionReader(stream.extradata)
    for packet in stream.packets:
        partition = reader.feed(packet)
        if partition is None:
            findings.refused += 1
            continue
        assert_sound(partition)
        findings.pictures += 1
        if partition.is_whole:
            findings.whole += 1
            guided_map(np.zeros((partition.window.height, partition.window.width), np.uint8), partition)
    findings.slowest_s = max(findings.slowest_s, time.monotonic() - start)


def assert_sound(partition: Partition) -> None:
    """Look at what holds for every picture, damaged or not: sizes, values, and that whole ones are tiled by units."""
    shape, window = partition.transform.shape, partition.window
    is_read = partition.transform > 0
    lowest_qp = -48 if partition.is_whole else -64  # the latter is what is not known of a slice that went before
    ranges = {"transform": (2, 6), "coding": (3, 6), "mode": (0, len(MODES) - 1), "qp": (lowest_qp, 51)}
    for name, (lowest, highest) in ranges.items():
        cells = getattr(partition, name)
        assert cells.shape == shape, f"{name} is {cells.shape}, transform {shape}"
        found = cells[is_read]
        assert ((lowest <= found) & (found <= highest)).all(), f"{name} from {found.min()} to {found.max()}"
    assert 0 < max(shape) * CELL_PX <= MAX_SIDE_PX, f"{shape} cells"
    for start, length, n_cells in ((window.left, window.width, shape[1]), (window.top, window.height, shape[0])):
        assert 0 <= start < start + length <= CELL_PX * n_cells, window
    assert all(error and isinstance(error, str) for error in partition.errors)
    assert {*partition.slice_types} <= {*"IPB"}, partition.slice_types
    if partition.is_whole:
        assert_tiled(partition.coding, 3)
        assert_tiled(partition.transform, 2)
        assert (partition.transform <= partition.coding).all()


def assert_tiled(log2_sides: NDArray[np.uint8], smallest: int) -> None:
    """Every cell lies in a block of its own size, at a multiple of it, inside the picture."""
    assert int(log2_sides.min()) >= smallest
    for log2_side in np.unique(log2_sides):
        side = max(1 << int(log2_side) >> 2, 1)  # in cells
        beyond = [(0, -length % side) for length in log2_sides.shape]
        own = np.pad(log2_sides == log2_side, beyond)
        blocks = own.reshape(own.shape[0] // side, side, own.shape[1] // side, side)
        assert (blocks.all(axis=(1, 3)) == blocks.any(axis=(1, 3))).all(), f"blocks of {1 << int(log2_side)} are broken"


def main(argv: list[str] | None = None) -> int:
    """Run once, from the command line; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20_000, help="[%(default)s]")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop then [never]")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    args = parser.parse_args(argv)
    print(json.dumps(asdict(fuzz(corpus(), args.seed, args.runs, args.seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
