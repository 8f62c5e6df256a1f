"""Quantisers read from real streams of libx265, whose QPs are known because they were asked for."""

from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.hevc.nal_units import length_size, units_of_packet
from runtime.hevc.picture_qp import PictureQpReader
from tests.media import make_video
from tests.runtime.hevc.bit_writer import annex_b, hvcc, unit, with_lengths
from training.qp_pattern import frame_qps
from training.x265_settings import x265_params

FLAT = "log-level=none:bframes=0:ipratio=1:aq-mode=0:cutree=0"
SIZE = (64, 48)


@dataclass(frozen=True)
class Coded:
    """A video's packets in the order of decoding."""

    extradata: bytes
    packets: list[bytes]

    @property
    def qps(self) -> list[float | None]:
        reader = PictureQpReader(self.extradata)
        return [reader.qp(packet) for packet in self.packets]


def coded(path: Path, params: str, frames: int = 6, size=SIZE, pix_fmt: str = "yuv420p") -> Coded:
    options = {"x265-params": params}
    make_video(path, frames=frames, size=size, codec="libx265", pix_fmt=pix_fmt, options=options)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return Coded(stream.codec_context.extradata, [bytes(p) for p in container.demux(stream) if p.size])


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Coded:
    return coded(tmp_path_factory.mktemp("hevc") / "in.mp4", f"{FLAT}:qp=31:keyint=3:repeat-headers=1:slices=1")


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "hevc"])
@pytest.mark.parametrize("qp", [1, 22, 37, 51])
def test_every_container_tells_the_quantiser_it_was_made_with(tmp_path, ending, qp):
    assert coded(tmp_path / f"in.{ending}", f"{FLAT}:qp={qp}").qps == [qp] * 6


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv444p12le", "gray", "yuv422p"])
def test_depth_and_chroma_do_not_matter(tmp_path, pix_fmt):
    assert coded(tmp_path / "in.mkv", f"{FLAT}:qp=33", pix_fmt=pix_fmt).qps == [33] * 6


def test_the_papers_pattern_comes_out_frame_by_frame(tmp_path):
    assert coded(tmp_path / "in.mkv", x265_params("ldp-hm", 32, 14), frames=14).qps == frame_qps(32, 14)


@pytest.mark.parametrize(
    "tools",
    [
        "weightp=1:weightb=1:ref=5:bframes=4",
        "temporal-layers=3:bframes=3:b-pyramid=1",
        "scaling-list=default:tskip=1:amp=1:rect=1",
        "hrd=1:vbv-bufsize=1000:vbv-maxrate=1000:aud=1:hash=1:info=1",
        "no-sao=1:no-wpp=1:no-temporal-mvp=1:max-merge=1:ctu=16:min-cu-size=16",
        "field=1:ref=3",
        "open-gop=1:keyint=5:bframes=3:strong-intra-smoothing=0:constrained-intra=1",
    ],
)
def test_no_tool_of_the_coder_gets_in_the_way(tmp_path, tools):
    params = f"log-level=none:qp=30:ipratio=1:pbratio=1:aq-mode=0:cutree=0:{tools}"
    assert set(coded(tmp_path / "in.ts", params, frames=12).qps) == {30}


def test_all_slices_of_a_picture_are_read_and_averaged(tmp_path, clip):
    made = coded(tmp_path / "in.mp4", f"{FLAT}:qp=29:slices=4:ctu=16", size=(64, 256))
    units = [found for found in units_of_packet(made.packets[-1], 4) if found.is_slice_segment]
    assert (len(units), made.qps) == (4, [29] * 6)
    reader = PictureQpReader(clip.extradata)
    finer = coded(tmp_path / "20.mp4", f"{FLAT}:qp=20:keyint=3:repeat-headers=1:slices=1")
    assert reader.qp(clip.packets[0] + finer.packets[0]) == (31 + 20) / 2


def test_parameter_sets_may_change_on_the_way(tmp_path):
    first = coded(tmp_path / "1.ts", f"{FLAT}:qp=24:ref=1:no-sao=1")
    second = coded(tmp_path / "2.ts", f"{FLAT}:qp=40:ref=5:weightp=1", size=(96, 64))
    assert Coded(first.extradata, first.packets + second.packets).qps == [24] * 6 + [40] * 6


def test_extradata_may_change_on_the_way(tmp_path):
    first = coded(tmp_path / "1.mp4", f"{FLAT}:qp=24:ref=1:no-sao=1")
    second = coded(tmp_path / "2.mp4", f"{FLAT}:qp=40:ref=5:weightp=1")
    reader = PictureQpReader(first.extradata)
    assert reader.qp(first.packets[1]) == 24
    reader.take_extradata(second.extradata)
    assert [reader.qp(packet) for packet in second.packets] == [40] * 6


def test_without_parameter_sets_nothing_is_known_until_they_come(clip):
    reader = PictureQpReader(hvcc())
    assert [reader.qp(packet) for packet in (clip.packets[1], clip.packets[0], clip.packets[1])] == [None, 31, 31]


def test_what_is_not_the_picture_is_left_out(clip):
    reader = PictureQpReader(clip.extradata)
    noise = unit(1, b"\xff" * 30, layer=1), unit(39, b"\x80"), unit(62, b"\xff" * 9)  # another view, a message, Dolby's
    assert reader.qp(clip.packets[1] + with_lengths(*noise)) == 31
    assert reader.qp(with_lengths(*noise)) is None
    assert reader.qp(b"") is None


def test_screen_content_is_not_guessed_at(clip):
    sps = next(found for found in units_of_packet(clip.packets[0], length_size(clip.extradata)) if found.type == 33)
    payload = bytearray(sps.payload())
    payload[1] = payload[1] & 0xE0 | 9
    reader = PictureQpReader(hvcc())
    assert reader.qp(clip.packets[0].replace(bytes(sps.data), unit(33, bytes(payload)))) is None


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_packets_and_extradata_never_raise(clip, data):
    extradata, packet = bytearray(clip.extradata), bytearray(data.draw(st.sampled_from(clip.packets)))
    for damaged in (extradata, packet):
        for _ in range(data.draw(st.integers(0, 4))):
            damaged[data.draw(st.integers(0, min(len(damaged), 200) - 1))] = data.draw(st.integers(0, 255))
        del damaged[data.draw(st.integers(0, len(damaged))) or None :]
    reader = PictureQpReader(bytes(extradata))
    for seen in (bytes(packet), clip.packets[0], clip.packets[1]):
        qp = reader.qp(seen)
        assert qp is None or -48 <= qp <= 51


@given(st.binary(max_size=300), st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_never_raise(extradata, packet):
    for frame in (packet, annex_b(packet), with_lengths(packet)):
        assert PictureQpReader(extradata).qp(frame) is None
