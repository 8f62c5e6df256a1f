"""Block maps, quantisers and modes, pixel for pixel those that libde265 draws, on streams of two encoders.

libde265 draws quantisers from 20 to 40 alone; for others, constant ones are compared with what the encoder was told.
"""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvqe.partition import CELL_PX, INTER, INTRA, SKIPPED, Partition
from tests.runtime.hevc import libde265
from tests.runtime.hevc.oracles import needs_kvazaar, needs_libde265
from tests.runtime.hevc.streams import (
    HM_TREES,
    HevcStream,
    filtered,
    in_container,
    kvazaar_stream,
    x265_stream,
)

pytest.importorskip("numba", reason="the partition reader needs numba, which is not installed")

from runtime.hevc.partition_reader import PartitionReader

pytestmark = needs_libde265

LOW_DELAY = "bframes=0:keyint=-1:scenecut=0:ref=4:ipratio=1:aq-mode=0"
ALL_INTRA = "keyint=1:bframes=0:ipratio=1:aq-mode=0"
RANDOM_ACCESS = "keyint=32:min-keyint=32:bframes=7:b-adapt=0:b-pyramid=1:scenecut=0:open-gop=1:aq-mode=0"
DEEP_CHROMA = ("gray", "yuv422p", "yuv444p", "gray10le", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le")

X265: dict[str, tuple[str, dict[str, Any]]] = {
    "low delay": (f"qp=32:{LOW_DELAY}", {}),
    "low delay, HM's trees": (f"qp=32:{LOW_DELAY}:{HM_TREES}", {}),
    "low delay, fine": (f"qp=22:{LOW_DELAY}:{HM_TREES}", {}),
    "low delay, coarse": (f"qp=42:{LOW_DELAY}", {}),
    "all-intra": (f"qp=27:{ALL_INTRA}", {"n_frames": 3}),
    "all-intra, HM's trees": (f"qp=37:{ALL_INTRA}:{HM_TREES}", {"n_frames": 3}),
    "random access": (f"qp=30:{RANDOM_ACCESS}", {"n_frames": 10}),
    "random access, HM's trees": (f"qp=30:{RANDOM_ACCESS}:{HM_TREES}", {"n_frames": 10}),
    "random access, 10 bit": (f"qp=30:{RANDOM_ACCESS}", {"n_frames": 10, "pix_fmt": "yuv420p10le"}),
    **{f"intra {name}": (f"qp=27:{ALL_INTRA}:{HM_TREES}", {"n_frames": 2, "pix_fmt": name}) for name in DEEP_CHROMA},
    **{f"inter {name}": (f"qp=32:{LOW_DELAY}:{HM_TREES}", {"n_frames": 3, "pix_fmt": name}) for name in DEEP_CHROMA},
    "AQ, groups of 8": ("crf=28:aq-mode=1:qg-size=8", {}),
    "AQ, groups of 16": ("crf=30:aq-mode=2:qg-size=16", {}),
    "AQ, groups of 32": ("crf=28:aq-mode=3:qg-size=32", {}),
    "AQ, groups of 64": ("crf=28:aq-mode=4:qg-size=64", {}),
    "HEVC AQ, offsets of chroma": ("crf=28:hevc-aq=1:cbqpoffs=3:crqpoffs=-4", {}),
    "rate control in a picture": ("bitrate=200:vbv-maxrate=200:vbv-bufsize=200", {}),
    "slices": ("qp=30:slices=3:ctu=16", {}),
    "slices, AQ": ("qp=30:slices=2:ctu=32:aq-mode=2", {}),
    "WPP": ("qp=30:wpp=1:pools=2", {}),
    "no WPP": ("qp=30:no-wpp=1", {}),
    "lossless": ("lossless=1", {"n_frames": 2}),
    "lossless 4:4:4": ("lossless=1:ctu=16", {"n_frames": 2, "size": (96, 64), "pix_fmt": "yuv444p10le"}),
    "lossless units": ("qp=30:cu-lossless=1:rd=6", {}),
    "transform skip": (f"qp=24:tskip=1:{HM_TREES}", {}),
    "transform skip 4:4:4": (f"qp=30:tskip=1:{HM_TREES}", {"pix_fmt": "yuv444p", "n_frames": 3}),
    "asymmetric partitions": (f"qp=28:amp=1:rect=1:limit-modes=0:{HM_TREES}", {}),
    "trees of 16": ("qp=30:ctu=16:min-cu-size=16", {}),
    "units of 32 and more": ("qp=30:ctu=64:min-cu-size=32", {}),
    "transforms of 8 and less": (f"qp=30:ctu=32:max-tu-size=8:{HM_TREES}", {}),
    "transforms of 4": ("qp=30:max-tu-size=4", {}),
    "weights, several references": ("qp=30:weightp=1:weightb=1:bframes=3:ref=5", {}),
    "temporal layers": ("qp=30:temporal-layers=3:bframes=3:b-pyramid=1", {"n_frames": 8}),
    "scaling lists": ("qp=30:scaling-list=default", {}),
    "without SAO and hidden signs": ("qp=30:no-signhide=1:no-sao=1", {}),
    "constrained intra": ("qp=30:constrained-intra=1:bframes=0", {}),
    "one merge candidate": ("qp=30:no-temporal-mvp=1:max-merge=1", {}),
    "keyframes in between": ("qp=30:keyint=2:repeat-headers=1", {}),
    "an intra column that wanders": ("qp=30:intra-refresh=1:keyint=4:bframes=0", {"n_frames": 8}),
    "messages and buffering": ("qp=30:hrd=1:vbv-bufsize=1000:vbv-maxrate=1000:aud=1:hash=1", {}),
    "finest quantiser": ("qp=1:aq-mode=0", {"n_frames": 3}),
    "coarsest quantiser": ("qp=51:aq-mode=0", {}),
    # a size that is no multiple of 8 is cropped
    **{f"{w}x{h}": ("qp=30", {"size": (w, h)}) for w, h in [(32, 32), (64, 64), (66, 50), (130, 70), (214, 38)]},
    "82x58, cropped by 14 and 6": ("qp=30:min-cu-size=32", {"size": (82, 58)}),
    "70x54 4:2:2": ("qp=30", {"size": (70, 54), "pix_fmt": "yuv422p10le"}),
}
KVAZAAR = (
    "qp=30,period=1",
    "qp=30,gop=lp-g4d3t1,period=0",
    "qp=32,gop=8,bipred=1,period=64",
    "qp=30,tiles=2x2",
    "qp=30,tiles=3x2,slices=tiles",
    "qp=30,tiles-width-split=64+128",
    "qp=30,slices=wpp+tiles,tiles=2x2",
    "qp=30,no-wpp=1",
    "qp=30,wpp=1,slices=wpp",  # dependent slice segments
    "qp=30,wpp=1,owf=2",
    "qp=24,transform-skip=1,rd=1",
    "qp=22,transform-skip=1,tr-skip-max-size=4",
    "lossless=1,preset=ultrafast",
    "lossless=1,implicit-rdpcm=1,period=1",
    "qp=30,tr-depth-intra=3,gop=0,period=2",
    "qp=30,smp=1,amp=1,preset=superfast",
    "qp=30,no-signhide=1,no-sao=1",
    "qp=30,vaq=5",
    "qp=30,set-qp-in-cu=1,gop=8",
    "qp=30,max-merge=1,tmvp=0",
    "qp=30,scaling-list=default",
    "qp=30,source-scan-type=tff",  # a picture for each field
    "qp=30,input-format=P400",
    "bitrate=300000,rc-algorithm=lambda",
    "bitrate=300000,rc-algorithm=oba",
    "qp=30,force-inter=1,combine-intra-cus=0",
    "qp=50",
    "qp=3",
)


def pixels(cells: NDArray[Any]) -> NDArray[Any]:
    """Return one value a pixel."""
    return cells.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)


def grid(log2_sides: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Draw the first row and the first column of every block."""
    inside = (1 << pixels(log2_sides).astype(np.int32)) - 1
    y, x = np.mgrid[: inside.shape[0], : inside.shape[1]]
    return ((y & inside) == 0) | ((x & inside) == 0)


def differences(partition: Partition, drawing: libde265.Drawing) -> dict[str, int]:
    """Count pixels that differ, over the coded picture and what is beyond it."""
    maps = {
        "transform": (grid(partition.transform), drawing.transform),
        "coding": (grid(partition.coding), drawing.coding),
        "qp": (pixels(libde265.drawn_qp(partition.qp)), drawing.qp),
        "mode": (pixels(partition.mode), drawing.mode),
    }
    found = {}
    for name, (ours, theirs) in maps.items():
        beyond = [(0, large - small) for large, small in zip(theirs.shape, ours.shape, strict=True)]
        found[name] = int((np.pad(ours, beyond) != theirs).sum())
    return found


def partitions_of(stream: HevcStream) -> list[Partition]:
    reader = PartitionReader(stream.extradata)
    found = [reader.feed(packet) for packet in stream.packets]
    assert [number for number, partition in enumerate(found) if partition is None] == []
    return found


def assert_exact(stream: HevcStream) -> list[Partition]:
    """Compare every picture of a stream."""
    drawings, partitions = libde265.draw(stream.units), partitions_of(stream)
    assert sorted(drawings) == list(range(len(partitions)))
    for number, partition in enumerate(partitions):
        assert partition.errors == ()
        assert partition.is_whole
        assert differences(partition, drawings[number]) == {"transform": 0, "coding": 0, "qp": 0, "mode": 0}
        assert partition.window[2:] == drawings[number].size
    return partitions


@pytest.mark.parametrize("name", X265)
def test_streams_of_x265_are_read_pixel_for_pixel(name):
    params, options = X265[name]
    assert_exact(x265_stream(params, **options))


@pytest.mark.parametrize(
    "qp, pix_fmt",
    [(1, "yuv420p"), (12, "yuv420p"), (42, "yuv420p"), (51, "yuv420p"), (2, "yuv420p10le"), (51, "yuv420p10le")],
)
def test_quantisers_that_libde265_does_not_draw_are_those_that_were_coded(qp, pix_fmt):
    assert not libde265.LOWEST_DRAWN_QP <= qp <= libde265.HIGHEST_DRAWN_QP
    for partition in assert_exact(x265_stream(f"qp={qp}:{LOW_DELAY}", (104, 72), 3, pix_fmt)):
        assert np.unique(partition.qp).tolist() == [qp]


@needs_kvazaar
@pytest.mark.parametrize("params", KVAZAAR)
def test_streams_of_kvazaar_are_read_pixel_for_pixel(params):
    assert_exact(kvazaar_stream(params))


def test_what_is_compared_holds_every_size_and_every_mode():
    partitions = [
        partition
        for params in (f"qp=32:{LOW_DELAY}:{HM_TREES}", "qp=51:aq-mode=0")
        for partition in assert_exact(x265_stream(params))
    ]
    assert {*np.unique([partition.transform for partition in partitions])} == {2, 3, 4, 5, 6}
    assert {*np.unique([partition.coding for partition in partitions])} == {3, 4, 5, 6}
    assert {*np.unique([partition.mode for partition in partitions])} == {INTER, INTRA, SKIPPED}


def test_a_wrong_map_would_be_noticed():
    stream = x265_stream(f"qp=32:{LOW_DELAY}")
    partition, drawing = partitions_of(stream)[0], libde265.draw(stream.units)[0]
    for name in ("transform", "coding", "qp", "mode"):
        cells = getattr(partition, name)
        kept = cells[:8, :8].copy()
        cells[:8, :8] = 3 - (kept == 3)
        assert differences(partition, drawing)[name] > 0
        cells[:8, :8] = kept
    assert not any(differences(partition, drawing).values())


@pytest.mark.parametrize("container_format", ["mp4", "matroska", "mpegts"])
def test_framing_does_not_matter(container_format):
    raw = x265_stream(f"qp=32:{LOW_DELAY}")
    framed = in_container(raw, container_format)
    assert (framed.packets != raw.packets, bool(framed.extradata)) == (True, True)
    for ours, wanted in zip(assert_exact(framed), partitions_of(raw), strict=True):
        np.testing.assert_array_equal(ours.transform, wanted.transform)


def test_parameter_sets_may_change_on_the_way():
    coarse, fine = x265_stream(f"qp=32:{LOW_DELAY}"), x265_stream("qp=30:slices=3:ctu=16")
    small = x265_stream("qp=30", size=(66, 50))
    partitions = assert_exact(HevcStream(coarse.packets + small.packets + fine.packets + coarse.packets))
    assert [partition.transform.shape for partition in partitions[::4]] == [(34, 50), (14, 18), (34, 50), (34, 50)]


def test_extradata_may_change_on_the_way():
    first = in_container(x265_stream(f"qp=32:{LOW_DELAY}"), "mp4")
    second = in_container(x265_stream("qp=30:slices=3:ctu=16"), "mp4")
    reader, drawings = PartitionReader(first.extradata), libde265.draw(first.units + second.units)
    partitions = [reader.feed(packet) for packet in first.packets]
    reader.take_extradata(second.extradata)
    partitions += [reader.feed(packet) for packet in second.packets]
    for number, partition in enumerate(partitions):
        assert partition.is_whole
        assert not any(differences(partition, drawings[number]).values())


def test_cropping_moves_the_window_and_not_the_blocks():
    stream = x265_stream(f"qp=32:{LOW_DELAY}")
    cropped = filtered(stream, "hevc_metadata=crop_left=8:crop_top=4:crop_right=6:crop_bottom=10")
    for partition in assert_exact(cropped):
        assert tuple(partition.window) == (8, 4, 200 - 14, 136 - 14)
        assert partition.transform.shape == (34, 50)


def test_slices_tell_their_types():
    types = [partition.slice_types for partition in partitions_of(x265_stream("qp=30:slices=3:ctu=16"))]
    assert types[0] == "III"
    assert {*types[1:]} <= {"PPP", "BBB"}


def test_pictures_are_counted_in_the_order_of_showing():
    counts = [partition.order_count for partition in partitions_of(x265_stream(f"qp=30:{RANDOM_ACCESS}", n_frames=10))]
    assert counts[:3] == [0, 8, 4]
    assert sorted(counts) == list(range(10))


def test_layers_in_time_are_told():
    stream = x265_stream("qp=30:temporal-layers=3:bframes=3:b-pyramid=1", n_frames=8)
    assert {partition.temporal_id for partition in partitions_of(stream)} >= {0, 1, 2}
