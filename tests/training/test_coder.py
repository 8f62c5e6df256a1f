"""What the encoders really do with each configuration, read from their bits and their own logs."""

import csv
import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cvqe.errors import InputError, UsageError
from runtime.frame_qp import EXPORT_QP, frame_qp
from tests.media import corrupt_packet, make_video, pattern
from training.coder import CONFIGURATIONS, decode_pictures, encode, encode_hevc, frame_rate, x265_params
from training.coding import Coding
from training.qp_pattern import frame_qps, zones

SIZE, RATE = (64, 48), Fraction(25)
HM_QPS = [37, 40, 39, 40, 38, 40, 39, 40, 38, 40]
I, P, B = "I", "P", "B"  # noqa: E741  # the field's names


def pictures(n_frames: int) -> Iterator[av.VideoFrame]:
    return (pattern(number, SIZE, "yuv420p") for number in range(n_frames))


def packets(content: bytes) -> list[av.Packet]:
    with av.open(io.BytesIO(content)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def header(content: bytes) -> bytes:
    with av.open(io.BytesIO(content)) as container:
        return bytes(container.streams.video[0].codec_context.extradata)


def x265_log(params: str, n_frames: int, folder: Path) -> list[tuple[str, float]]:
    """Code with these parameters, and read type and QP of every frame, as shown, from x265's own log."""
    _x265(f"{params}:csv={folder / 'x265.csv'}:csv-log-level=1", n_frames)
    with (folder / "x265.csv").open() as file:
        rows = [row for row in csv.DictReader(file, skipinitialspace=True) if row["Layer "] == "0"]
    return [(row["Type"][0].upper(), float(row["QP"])) for row in sorted(rows, key=lambda row: int(row["POC"]))]


def x265_planes(params: str, n_frames: int) -> list[bytes]:
    """Code with these parameters, and decode the luma of every frame."""
    with av.open(io.BytesIO(_x265(params, n_frames))) as container:
        return [bytes(picture.planes[0]) for picture in container.decode(video=0)]


def _x265(params: str, n_frames: int) -> bytes:
    """Code and forget the encoder, for x265 writes its log when it is closed."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as container:
        stream = container.add_stream("libx265", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "medium", "x265-params": params}
        for number, picture in enumerate(pictures(n_frames)):
            picture.pts, picture.time_base = number, 1 / RATE
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return memory.getvalue()


def x264_log(content: bytes) -> list[tuple[str, float]]:
    """Read type and QP of every frame from the decoder."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = dict(EXPORT_QP)
        return [("?IPB"[int(picture.pict_type)], frame_qp(picture)) for picture in container.decode(stream)]


def test_the_default_parameters_are_those_the_data_was_made_with():
    tail = ":log-level=none:frame-threads=1:pools=none"
    low_delay = "qp=37:bframes=0:keyint=-1:scenecut=0:ref=4:ipratio=1:aq-mode=0:cutree=0"
    assert x265_params("ldp", 37) == low_delay + tail
    assert x265_params("ai", 22) == "qp=22:keyint=1:bframes=0:ipratio=1:aq-mode=0" + tail
    assert x265_params("ra", 42) == (
        "qp=42:keyint=32:min-keyint=32:bframes=7:b-adapt=0:b-pyramid=1:scenecut=0:open-gop=1:aq-mode=0:cutree=0" + tail
    )
    assert x265_params("ldp-hm", 37, 3) == low_delay + ":zones=1,1,q=37/2,2,q=40/3,3,q=39" + tail
    assert set(CONFIGURATIONS) == {"ldp", "ldp-hm", "ai", "ra"}


@pytest.mark.parametrize(
    "configuration, types, qps",
    [
        ("ldp", [I, *[P] * 9], [37] * 10),
        ("ai", [I] * 10, [37] * 10),
    ],
)
def test_x265_keeps_types_and_qps(configuration, types, qps, tmp_path):
    assert x265_log(x265_params(configuration, 37, 10), 10, tmp_path) == list(zip(types, qps, strict=True))


def test_x265_codes_every_frame_at_hms_qp():
    """Its log tells the QP without zones, so: with all frames intra, each looks as in a stream of its own QP."""
    settings = [x265_params("ldp-hm", 37, 10), *(x265_params("ldp", qp) for qp in range(37, 41))]
    pattern_of_qps, *flat = [x265_planes(params.replace("keyint=-1", "keyint=1"), 10) for params in settings]
    assert pattern_of_qps == [flat[qp - 37][number] for number, qp in enumerate(HM_QPS)]
    assert len({planes[1] for planes in flat}) == 4


def test_hms_qps_reach_the_p_frames_of_x265():
    """Noise, new in every frame: what a frame takes depends on its QP alone."""
    random = np.random.default_rng(0)
    noise = [av.VideoFrame.from_ndarray(random.integers(0, 256, (72, 64), np.uint8), "yuv420p") for _ in range(13)]
    sizes = [packet.size for packet in packets(encode_hevc(noise, RATE, "ldp-hm", 30))]
    for at_33, at_32, also_at_33, at_31 in (sizes[start : start + 4] for start in (1, 5, 9)):
        assert max(at_33, also_at_33) < at_32 < at_31


def test_x265_random_access_has_an_intra_frame_every_32_and_seven_b_frames_between(tmp_path):
    types = [kind for kind, _ in x265_log(x265_params("ra", 37), 41, tmp_path)]
    assert types == [I, *[*[B] * 7, P] * 3, *[B] * 7, I, *[B] * 7, P]


@pytest.mark.parametrize(
    "configuration, types, qps",
    [
        ("ldp", [I, *[P] * 9], [37] * 10),
        ("ldp-hm", [I, *[P] * 9], HM_QPS),
        ("ai", [I] * 10, [37] * 10),
        ("ra", [I, *[B] * 7, P, P], [34, 39, 39, 39, 38, 39, 39, 39, 37, 37]),
    ],
)
def test_x264_keeps_types_and_qps(configuration, types, qps):
    content = encode(pictures(10), RATE, Coding(configuration, 37, "avc"), 10)
    assert x264_log(content) == list(zip(types, qps, strict=True))


@pytest.mark.parametrize("configuration, keyframes", [("ldp", 1), ("ai", 6)])
def test_a_configurations_structure_does_not_depend_on_the_sources(tmp_path, configuration, keyframes):
    source = make_video(tmp_path / "a.mkv", frames=6, size=SIZE, codec="ffv1")  # every frame of it is a key frame
    with av.open(str(source)) as container:
        content = encode_hevc(container.decode(video=0), frame_rate(source), configuration, 37)
    assert sum(packet.is_keyframe for packet in packets(content)) == keyframes


def test_hevc_by_its_short_name_is_the_same():
    assert encode_hevc(pictures(6), RATE, "ldp-hm", 37) == encode(pictures(6), RATE, Coding("ldp-hm", 37), 6)


@pytest.mark.parametrize("codec", ["hevc", "avc"])
def test_the_same_pictures_give_the_same_bytes_and_all_come_back(codec):
    first, again = (encode(pictures(5), RATE, Coding("ldp", 37, codec), 5, tags={"A": "b"}) for _ in range(2))
    assert first == again
    assert len(list(decode_pictures(io.BytesIO(first)))) == 5
    with av.open(io.BytesIO(first)) as container:
        assert container.metadata["A"] == "b"


@pytest.mark.parametrize("codec", ["hevc", "avc"])
def test_mp4_carries_the_tag_that_players_know(codec):
    with av.open(io.BytesIO(encode(pictures(2), RATE, Coding("ldp", 37, codec), 2, container="mp4"))) as container:
        assert container.streams.video[0].codec_context.codec_tag == {"hevc": "hvc1", "avc": "avc1"}[codec]


def test_transform_depth_reaches_x265_and_splits_without_psychovisual_cost():
    content = encode(pictures(2), RATE, Coding("ldp", 37, transform_depth=3), 2)
    for setting in (b"tu-inter-depth=3", b"tu-intra-depth=3", b"psy-rd=0.00", b"limit-tu=0"):
        assert setting in header(content)
    assert b"tu-inter-depth=1" in header(encode(pictures(2), RATE, Coding("ldp", 37), 2))


def test_cutree_is_off_wherever_there_are_p_frames():
    """x265 4.2 writes outside its heap with it."""
    for configuration in set(CONFIGURATIONS) - {"ai"}:
        assert "cutree=0" in x265_params(configuration, 37, 4)


def test_hms_pattern_repeats_every_four_frames_and_ends_at_51():
    assert frame_qps(37, 10) == HM_QPS
    assert frame_qps(50, 5) == [50, 51, 51, 51, 51]
    assert zones(37, 2, first=0) == "0,0,q=37/1,1,q=40"


def test_names_tell_one_way_of_coding_from_another():
    codings = [Coding("ldp", 37), Coding("ldp", 37, "avc"), Coding("ldp-hm", 37), Coding("ldp", 37, transform_depth=3)]
    assert [coding.folder for coding in codings] == ["ldp_qp37", "avc-ldp_qp37", "ldp-hm_qp37", "ldp-tu3_qp37"]
    assert len({str(coding.settings) for coding in codings}) == 4


@pytest.mark.parametrize(
    "options, words",
    [
        ({"configuration": "hm"}, "ldp, ldp-hm, ai, ra"),
        ({"qp": 52}, "1 to 51"),
        ({"qp": 0}, "1 to 51"),
        ({"codec": "vvc"}, "hevc, avc"),
        ({"transform_depth": 5}, "1 to 4"),
        ({"codec": "avc", "transform_depth": 3}, "HEVC"),
    ],
)
def test_codings_that_do_not_exist_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        Coding(**{"configuration": "ldp", "qp": 37, **options})


def test_parameters_without_what_they_need_are_refused():
    with pytest.raises(UsageError, match="choose one of ldp"):
        x265_params("hm", 37)
    with pytest.raises(UsageError, match="n_frames"):
        x265_params("ldp-hm", 37)
    with pytest.raises(InputError, match="no picture"):
        encode_hevc([], RATE, "ldp", 37)


def test_rates_are_read_and_guessed_where_there_is_none(tmp_path):
    assert frame_rate(make_video(tmp_path / "a.mkv", frames=2, rate=Fraction(30000, 1001))) == Fraction(30000, 1001)
    (tmp_path / "raw.h264").write_bytes(make_video(tmp_path / "raw.h264", frames=2).read_bytes())
    assert frame_rate(tmp_path / "raw.h264") == 25


def test_what_is_no_video_is_refused_by_name(tmp_path):
    (tmp_path / "text.mkv").write_text("not a video")
    for read in (frame_rate, lambda path: list(decode_pictures(path))):
        with pytest.raises(InputError, match=r"text\.mkv"):
            read(tmp_path / "text.mkv")


def test_a_damaged_picture_is_not_passed_over(tmp_path):
    path = make_video(tmp_path / "a.mp4", frames=6, size=SIZE)
    corrupt_packet(path, 3)
    with pytest.raises(InputError, match=r"a\.mp4 is damaged"):
        list(decode_pictures(path))
