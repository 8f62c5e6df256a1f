"""Every picture gets the coding of its own packet, in whatever order and container they come."""

from pathlib import Path

import av
import numpy as np
import pytest

from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.picture_coding import (
    LEAST_PARTITIONS,
    MOST_PARTITION_BYTES,
    MOST_PARTITIONS,
    MOST_WAITING,
    UNKNOWN,
    PacketCoding,
)
from tests.media import corrupt_packet, frames_of, make_video
from tests.runtime.hevc.bit_writer import hvcc

N_FRAMES = 20
# x265 gives its zones to frames in the order of coding: every packet has a quantiser of its own
QPS = [20 + 7 * number % 23 for number in range(N_FRAMES)]
ZONES = "zones=" + "/".join(f"{number},{number},q={qp}" for number, qp in enumerate(QPS, start=1))
PARAMS = f"log-level=none:qp=30:ipratio=1:pbratio=1:aq-mode=0:cutree=0:keyint=9:slices=1:{ZONES}"
REORDERED = "bframes=3:b-adapt=0:b-pyramid=1"


def make(path: Path, params: str = REORDERED, **options) -> Path:
    coder = {"x265-params": f"{PARAMS}:{params}"}
    return make_video(path, frames=N_FRAMES, codec="libx265", options=coder, **options)


def qps_of(path: Path, threads: int = 0) -> list[float | None]:
    with open_source(path, threads) as source:
        return [item.qp for item in source.items() if isinstance(item, Frame)]


def expected_of(path: Path) -> list[int]:
    """Pair the packets' time stamps with the quantisers asked for, and sort by time."""
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    return [qp for _, qp in sorted(zip(stamps, QPS, strict=True))]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "ts"])
def test_frames_are_reordered_and_keep_their_own(tmp_path, ending, threads):
    path = make(tmp_path / f"in.{ending}")
    assert expected_of(path) != QPS
    assert qps_of(path, threads) == expected_of(path)


@pytest.mark.parametrize("threads", [1, 3])
def test_raw_streams_have_no_time_stamps_and_lose_none(tmp_path, threads):
    raw, stamped = make(tmp_path / "in.hevc"), make(tmp_path / "in.mp4")
    assert qps_of(raw, threads) == expected_of(stamped)
    with open_source(raw) as source:
        assert [item.pts for item in source.items() if isinstance(item, Frame)] == [
            number * 48_000 for number in range(N_FRAMES)
        ]
        assert source.n_repaired == N_FRAMES


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "gray"])
def test_depth_does_not_matter(tmp_path, pix_fmt):
    path = make(tmp_path / "in.mp4", pix_fmt=pix_fmt)
    assert qps_of(path) == expected_of(path)


@pytest.mark.parametrize("number", [3, 12, N_FRAMES - 1])
def test_a_damaged_packet_takes_no_other_frame_with_it(tmp_path, number):
    path = make(tmp_path / "in.mp4")
    by_pts = dict(zip([shown.pts for shown in frames_of(path)], expected_of(path), strict=True))
    corrupt_packet(path, number)
    with open_source(path) as source:
        found = {item.pts: item.qp for item in source.items() if isinstance(item, Frame)}
        assert source.n_damaged
    assert len(found) >= N_FRAMES // 2
    assert all(found[pts] in (by_pts[pts], None) for pts in found)
    assert sum(qp is None for qp in found.values()) < len(found) // 2


def test_the_end_that_is_decoded_again_keeps_its_own(tmp_path):
    path = make(tmp_path / "in.mp4", "bframes=0")
    corrupt_packet(path, N_FRAMES - 4)
    assert qps_of(path, threads=4)[-3:] == [QPS[-5], QPS[-2], QPS[-1]]


class MadeUpPacket(bytes):
    """What PacketCoding looks at."""

    pts: int | None = 0
    is_keyframe = True
    new_extradata = b""

    @property
    def size(self) -> int:
        return len(self)

    def has_sidedata(self, name: str) -> bool:
        return bool(self.new_extradata) and name == "new_extradata"

    def get_sidedata(self, name: str) -> bytes:
        return self.new_extradata


def made_up(data: bytes, pts: int | None) -> MadeUpPacket:
    packet = MadeUpPacket(data)
    packet.pts = pts
    return packet


def picture_of(packet: MadeUpPacket) -> av.VideoFrame:
    """Return a picture with the pts that a decoder saw, and so hands out."""
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts = packet.pts
    return frame


def seen_by(codings: PacketCoding, packets: list[MadeUpPacket]) -> list[av.VideoFrame]:
    for packet in packets:
        codings.see(packet)
    return [picture_of(packet) for packet in packets]


@pytest.fixture(scope="module")
def coded(tmp_path_factory) -> tuple[bytes, list[bytes]]:
    path = make(tmp_path_factory.mktemp("coded") / "in.mp4", "bframes=0")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata, [bytes(packet) for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize("stamps", [[None] * 3, [5, 5, 6], [0, -1, 2**40]])  # missing, twice the same, odd
def test_pictures_are_known_whatever_their_time_stamps_are(coded, stamps):
    extradata, packets = coded
    codings = PacketCoding(extradata)
    first, second, third = seen_by(codings, [made_up(*each) for each in zip(packets[:3], stamps, strict=True)])
    assert [codings.take(each).qp for each in (first, third, second)] == [QPS[0], QPS[2], QPS[1]]
    assert [each.pts for each in (first, second, third)] == stamps


def test_a_picture_without_a_packet_is_unknown_and_keeps_its_time_stamp(coded):
    stray, unstamped = (picture_of(made_up(b"", pts)) for pts in (7, None))
    assert PacketCoding(coded[0]).take(stray) == PacketCoding(coded[0]).take(unstamped) == UNKNOWN
    assert (stray.pts, unstamped.pts) == (7, None)


def test_extradata_of_a_packet_replaces_the_streams(coded):
    extradata, packets = coded
    codings = PacketCoding(hvcc())
    unreadable, changed = made_up(packets[1], 1), made_up(packets[2], 2)
    changed.new_extradata, changed.is_keyframe = extradata, False  # FFmpeg's decoder takes it from any packet
    assert [codings.take(each).qp for each in seen_by(codings, [unreadable, changed])] == [None, QPS[2]]


class NumberedPartition(int):
    size_bytes = 1


class Numbered:
    """Stands for the parser: the number of the packet is the partition, of those that are not in `unread`."""

    def __init__(self, unread: dict[int, str] | None = None) -> None:
        self.n_fed, self.extradata, self.unread = 0, b"", unread or {}
        self.obstacle: str | None = None

    def feed(self, packet: memoryview) -> NumberedPartition | None:
        self.n_fed += 1
        self.obstacle = self.unread.get(self.n_fed)
        return None if self.obstacle else NumberedPartition(self.n_fed)

    def take_extradata(self, extradata: bytes) -> None:
        self.extradata = extradata


def test_a_partition_stays_with_its_packet(coded):
    extradata, packets = coded
    parser = Numbered()
    codings = PacketCoding(extradata, parser)
    first, second, third = seen_by(codings, [made_up(data, None) for data in packets[:3]])
    assert [codings.take(each).partition for each in (second, third, first)] == [2, 3, 1]
    changed = made_up(packets[3], 1)
    changed.new_extradata = extradata
    codings.see(changed)
    assert (codings.obstacle, parser.extradata) == (None, extradata)


def test_why_there_is_no_partition_stays_with_its_packet(coded):
    extradata, packets = coded
    codings = PacketCoding(extradata, Numbered({2: "screen content"}))
    first, second = seen_by(codings, [made_up(data, None) for data in packets[:2]])
    assert [codings.take(each)[1:] for each in (second, first)] == [(None, "screen content"), (1, None)]


@pytest.mark.parametrize(
    "size_bytes, n_held",
    [(1, MOST_PARTITIONS), (MOST_PARTITION_BYTES // 40, 40), (MOST_PARTITION_BYTES, LEAST_PARTITIONS)],
)
def test_partitions_that_wait_are_bounded_in_bytes_but_not_below_what_a_decoder_holds(
    coded, monkeypatch, size_bytes, n_held
):
    monkeypatch.setattr(NumberedPartition, "size_bytes", size_bytes)
    extradata, packets = coded
    codings = PacketCoding(extradata, Numbered())
    pictures = seen_by(codings, [made_up(packets[1], number) for number in range(MOST_PARTITIONS + 40)])
    known = [codings.take(each) for each in pictures]
    assert [each.partition is not None for each in known] == [False] * (len(known) - n_held) + [True] * n_held
    assert {each.partition_obstacle for each in known if not each.partition} == {
        "too many pictures waited for the decoder"
    }


def test_a_partition_is_held_no_longer_than_its_packet(coded):
    extradata, packets = coded
    codings = PacketCoding(extradata, Numbered(dict.fromkeys(range(2, MOST_WAITING + 100), "unread")))
    pictures = seen_by(codings, [made_up(packets[1], number) for number in range(MOST_WAITING + MOST_PARTITIONS + 200)])
    assert [codings.take(pictures[place]).partition for place in (0, -1)] == [None, len(pictures)]


def test_packets_that_give_no_picture_are_forgotten_their_partitions_first(coded):
    extradata, packets = coded
    codings = PacketCoding(extradata, Numbered())
    pictures = seen_by(codings, [made_up(packets[1], number) for number in range(MOST_WAITING + 10)])
    known = [codings.take(each) for each in pictures]
    assert [each.qp for each in known] == [None] * 10 + [QPS[1]] * MOST_WAITING
    assert [each.partition for each in known] == [None] * (len(known) - MOST_PARTITIONS) + list(
        range(len(known) - MOST_PARTITIONS + 1, len(known) + 1)
    )


def test_noise_in_every_packet_ends_nothing(tmp_path):
    path = make(tmp_path / "in.ts", "bframes=0")
    data, random = bytearray(path.read_bytes()), np.random.default_rng(0)
    for place in random.integers(400, len(data), 60):
        data[place] = random.integers(256)
    path.write_bytes(data)
    assert all(qp is None or 0 <= qp <= 51 for qp in qps_of(path))
