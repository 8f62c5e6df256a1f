"""Tools that no encoder at hand uses, on noise: blocks as libde265 reads them, until a value is no longer allowed."""

from random import Random

import pytest

from cvqe.partition import Partition
from tests.runtime.hevc import libde265
from tests.runtime.hevc.noise_streams import NoiseStream
from tests.runtime.hevc.oracles import needs_libde265
from tests.runtime.hevc.test_partition_exactness import grid, pixels

pytest.importorskip("numba", reason="the partition reader needs numba, which is not installed")

from runtime.hevc.partition_reader import PartitionReader

N_STREAMS, N_PICTURES, SLICE_BYTES = 60, 3, 20_000  # more data than any of these pictures takes
# of pictures: now and then noise holds what no encoder may write, a coefficient of more than 16 bits or a difference of
# quantisers beyond -26 to 25, and decoders go on differently. Any one tool that is left unread shows in 3 to
# 40 %
MAY_DIFFER = 0.02


def differs(partition: Partition, drawing: libde265.Drawing) -> dict[str, bool]:
    """Compare what both have read."""
    height, width = pixels(partition.transform).shape
    both = (pixels(partition.transform) > 0) & drawing.known[:height, :width]
    assert both.any()
    maps = {
        "transform": (grid(partition.transform), drawing.transform),
        "coding": (grid(partition.coding), drawing.coding),
        "mode": (pixels(partition.mode), drawing.mode),
        "qp": (pixels(libde265.drawn_qp(partition.qp)), drawing.qp),
    }
    return {name: bool(((ours != theirs[:height, :width]) & both).any()) for name, (ours, theirs) in maps.items()}


@needs_libde265
def test_noise_is_read_as_another_decoder_reads_it():
    counts = {"transform": 0, "coding": 0, "mode": 0, "qp": 0}
    n_pictures = 0
    for seed in range(N_STREAMS):
        stream = NoiseStream(Random(seed)).stream(N_PICTURES, SLICE_BYTES)
        drawings = libde265.draw(stream.units, must_be_content=False)
        reader = PartitionReader(stream.extradata)
        for number, packet in enumerate(stream.packets):
            partition = reader.feed(packet)
            assert partition is not None
            assert not partition.is_whole or partition.errors  # what is behind the last block is left over
            for name, is_different in differs(partition, drawings[number]).items():
                counts[name] += is_different
            n_pictures += 1
    for name, count in counts.items():
        assert count <= MAY_DIFFER * n_pictures, (name, count, n_pictures)
