"""Partitions of small streams of libx265 whose settings say what must come out; exactness is tested elsewhere."""

from pathlib import Path

import av
import pytest

from cvqe.partition import SKIPPED, ShownWindow
from runtime.hevc.partition_reader import PartitionReader
from tests.media import make_video
from tests.runtime.hevc.bit_writer import annex_b, hvcc, unit, with_lengths
from tests.runtime.hevc.streams import kvazaar_binary, kvazaar_stream, x265_stream

FLAT = "log-level=none:bframes=0:ipratio=1:aq-mode=0:cutree=0"


def coded(path: Path, params: str, size=(72, 56)) -> tuple[bytes, list[bytes]]:
    make_video(path, frames=6, size=size, codec="libx265", options={"x265-params": params})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata, [bytes(p) for p in container.demux(stream) if p.size]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> tuple[bytes, list[bytes]]:
    return coded(tmp_path_factory.mktemp("clip") / "in.mp4", f"{FLAT}:qp=31:keyint=4:repeat-headers=1")


def test_every_picture_is_read_as_a_whole(clip):
    extradata, packets = clip
    reader = PartitionReader(extradata)
    found = [reader.feed(packet) for packet in packets]
    assert all(partition.is_whole for partition in found)
    assert [partition.slice_types for partition in found] == ["I", "P", "P", "P", "I", "P"]
    assert [partition.order_count for partition in found] == [0, 1, 2, 3, 4, 5]
    assert all((partition.qp == 31).all() for partition in found)
    assert found[0].transform.shape == (14, 18)
    assert found[0].window == ShownWindow(0, 0, 72, 56)
    assert (found[0].mode != SKIPPED).all()


def test_what_is_not_shown_is_read_too(tmp_path):
    extradata, packets = coded(tmp_path / "in.mkv", FLAT, size=(70, 50))
    partition = PartitionReader(extradata).feed(packets[0])
    assert (partition.window, partition.transform.shape) == (ShownWindow(0, 0, 70, 50), (14, 18))


def test_pictures_may_be_in_several_slices(tmp_path):
    extradata, packets = coded(tmp_path / "in.mkv", f"{FLAT}:slices=2:ctu=16", size=(96, 96))
    reader = PartitionReader(extradata)
    assert [reader.feed(packet).slice_types for packet in packets] == ["II", *["PP"] * 5]


def test_a_packet_without_a_picture_or_parameter_sets_is_none(clip):
    extradata, packets = clip
    assert PartitionReader(extradata).feed(b"") is None
    assert PartitionReader(extradata).feed(with_lengths(unit(1, b"\xff" * 30, layer=1))) is None
    reader = PartitionReader(hvcc())
    assert [reader.feed(packets[n]) is None for n in (1, 0, 1)] == [True, False, False]


def test_damage_is_told_and_the_next_picture_is_read_again(clip):
    extradata, packets = clip
    reader = PartitionReader(extradata)
    cut = reader.feed(packets[0][:-40])
    assert not cut.is_whole
    assert "end too early" in cut.errors[0]
    assert reader.feed(packets[1]).is_whole


def test_two_pictures_in_a_packet_are_an_error(clip):
    extradata, packets = clip
    partition = PartitionReader(extradata).feed(packets[0] + packets[1])
    assert partition.errors == ("the packet holds a second picture",)


def test_parameter_sets_may_change_on_the_way(clip, tmp_path):
    extradata, packets = coded(tmp_path / "in.mp4", f"{FLAT}:qp=22", size=(64, 64))
    reader = PartitionReader(clip[0])
    assert reader.feed(clip[1][0]).is_whole
    reader.take_extradata(extradata)
    partition = reader.feed(packets[0])
    assert (partition.is_whole, partition.transform.shape, int(partition.qp.max())) == (True, (16, 16), 22)


@pytest.mark.parametrize(
    "behind, is_whole", [(b"", True), (b"\0\0\3\0\0\3", True), (b"\x80", False), (b"\0\x80", False), (b"\1", False)]
)
def test_a_slice_ends_where_its_data_do_or_with_words_of_zeros(behind, is_whole):
    units = x265_stream("qp=30", (64, 64), 1).units[0]
    partition = PartitionReader(None).feed(annex_b(*units[:-1], units[-1] + behind))
    assert partition.is_whole == is_whole
    assert is_whole or "does not end where its data do" in partition.errors[0]


@pytest.mark.skipif(kvazaar_binary() is None, reason="needs an ffmpeg with Kvazaar")
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_segment_that_depends_on_a_damaged_one_is_refused(is_lost):
    units = kvazaar_stream("qp=30,wpp=1,slices=wpp,gop=0,hash=none", (200, 136), 1).units[0]
    assert PartitionReader(None).feed(annex_b(*units)).is_whole
    kept = units[:-2] + units[-1:] if is_lost else [*units[:-2], units[-2][:-9], units[-1]]
    partition = PartitionReader(None).feed(annex_b(*kept))
    assert any("depends on one that was not read" in error for error in partition.errors)
    assert not partition.transform[-2].any()
