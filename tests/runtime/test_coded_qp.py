"""Every picture gets the quantiser of its own packet, in whatever order and container they come."""

from pathlib import Path

import av
import numpy as np
import pytest

from cvqe.frame import Frame
from runtime.coded_qp import MOST_WAITING, PacketQp
from runtime.decoder import open_source
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
    """What PacketQp looks at."""

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


def picture(pts: int | None) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts = pts
    return frame


@pytest.fixture(scope="module")
def coded(tmp_path_factory) -> tuple[bytes, list[bytes]]:
    path = make(tmp_path_factory.mktemp("coded") / "in.mp4", "bframes=0")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata, [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_a_missing_time_stamp_is_missing_again_afterwards(coded):
    extradata, packets = coded
    qps = PacketQp(extradata)
    seen = [made_up(data, None) for data in packets[:3]]
    for packet in seen:
        qps.see(packet)
    shown = [picture(seen[number].pts) for number in (0, 2, 1)]
    assert [qps.take(each) for each in shown] == [QPS[0], QPS[2], QPS[1]]
    assert [each.pts for each in shown] == [None] * 3


def test_one_time_stamp_for_two_pictures_tells_neither(coded):
    extradata, packets = coded
    qps = PacketQp(extradata)
    for number, pts in ((0, 5), (1, 5), (2, 6)):
        qps.see(made_up(packets[number], pts))
    assert [qps.take(picture(pts)) for pts in (5, 5, 6)] == [None, None, QPS[2]]


def test_a_picture_without_a_packet_is_unknown(coded):
    assert PacketQp(coded[0]).take(picture(7)) is None
    assert PacketQp(coded[0]).take(picture(None)) is None


def test_extradata_of_a_packet_replaces_the_streams(coded):
    extradata, packets = coded
    qps = PacketQp(hvcc())
    qps.see(made_up(packets[1], 1))
    changed = made_up(packets[2], 2)
    changed.new_extradata = extradata
    qps.see(changed)
    assert [qps.take(picture(pts)) for pts in (1, 2)] == [None, QPS[2]]


def test_packets_that_give_no_picture_are_forgotten(coded):
    extradata, packets = coded
    qps = PacketQp(extradata)
    for pts in range(MOST_WAITING + 10):
        qps.see(made_up(packets[1], pts))
    known = [qps.take(picture(pts)) for pts in range(MOST_WAITING + 10)]
    assert known == [None] * 10 + [QPS[1]] * MOST_WAITING


def test_noise_in_every_packet_ends_nothing(tmp_path):
    path = make(tmp_path / "in.ts", "bframes=0")
    data, random = bytearray(path.read_bytes()), np.random.default_rng(0)
    for place in random.integers(400, len(data), 60):
        data[place] = random.integers(256)
    path.write_bytes(data)
    assert all(qp is None or 0 <= qp <= 51 for qp in qps_of(path))
