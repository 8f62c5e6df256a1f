from dataclasses import replace
from itertools import product

import pytest

from cvqe.errors import CvqeError, UsageError
from runtime.decoder import open_source
from runtime.encoder_choice import choose_encoder
from runtime.encoder_settings import EncoderOptions
from tests.media import make_video


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    with open_source(make_video(tmp_path_factory.mktemp("media") / "in.mp4", frames=1)) as source:
        return source.info


def chosen(info, size=(64, 48), pixel_format="yuv420p", depth=8, container="matroska", **options):
    info = replace(info, width=size[0], height=size[1], pixel_format=pixel_format, bit_depth=depth)
    return choose_encoder(info, EncoderOptions(threads=1, **options), container)


@pytest.mark.parametrize(
    "pixel_format, depth, name",
    [
        ("yuv420p", 8, "libx264"),
        ("yuvj444p", 8, "libx264"),
        ("nv12", 8, "libx264"),
        ("gray", 8, "libx264"),
        ("yuv420p10le", 10, "libx265"),
        ("yuv444p12le", 12, "libx265"),
        ("gray10le", 10, "libx265"),
    ],
)
def test_depth_picks_the_usual_encoder(info, pixel_format, depth, name):
    choice = chosen(info, pixel_format=pixel_format, depth=depth)
    assert (choice.name, choice.pixel_format, choice.note) == (name, pixel_format, None)
    assert (choice.options["crf"], choice.options["preset"]) == ("14", "veryfast")


@pytest.mark.parametrize(
    "size, pixel_format, depth, name, accepted, reason",
    [
        ((65, 63), "yuv420p", 8, "libsvtav1", "yuv420p", "libx264 refuses 65x63 yuv420p"),
        ((17, 16), "nv12", 8, "libsvtav1", "yuv420p", "libx264 refuses 17x16 nv12"),
        ((8, 8), "yuv420p10le", 10, "libsvtav1", "yuv420p10le", "libx265 refuses 8x8 yuv420p10le"),
        ((1, 1), "yuv420p", 8, "ffv1", "yuv420p", "libsvtav1 refuses 1x1 yuv420p"),
        ((64, 64), "yuva420p", 8, "ffv1", "yuva420p", "libx264 has no yuva420p"),
        ((64, 64), "yuvj440p", 8, "ffv1", "yuv440p", "libx264 has no yuvj440p"),
        ((64, 64), "yuv444p16le", 16, "ffv1", "yuv444p16le", "libx265 has no yuv444p16le"),
    ],
)
def test_what_the_usual_encoder_refuses_goes_to_another_and_that_is_said(
    info, size, pixel_format, depth, name, accepted, reason
):
    choice = chosen(info, size, pixel_format, depth)
    assert (choice.name, choice.pixel_format) == (name, accepted)
    assert reason in choice.note
    assert f"{name} is used instead" in choice.note


def test_webm_gets_av1(info):
    assert chosen(info, container="webm").name == "libsvtav1"


@pytest.mark.parametrize(
    "size, pixel_format, container",
    [((65, 63), "yuv420p", "mpegts"), ((64, 64), "yuva420p", "mov"), ((64, 64), "yuv444p", "webm")],
)
def test_matroska_is_advised_where_nothing_fits_and_does_fit(info, size, pixel_format, container):
    with pytest.raises(CvqeError, match=r"no encoder takes these frames.*-o out.mkv"):
        chosen(info, size, pixel_format, container=container)
    chosen(info, size, pixel_format, container="matroska")


def test_a_named_encoder_is_never_replaced(info):
    assert chosen(info, encoder="ffv1").name == "ffv1"
    with pytest.raises(CvqeError, match="libx264 refuses 65x63 yuv420p"):
        chosen(info, (65, 63), encoder="libx264")
    with pytest.raises(CvqeError, match="there is no encoder libx266"):
        chosen(info, encoder="libx266")
    with pytest.raises(CvqeError, match="mp4 can't hold"):
        chosen(info, encoder="huffyuv", container="mp4")


def test_quality_is_spelled_for_the_encoder(info):
    assert chosen(info, crf=20.5).options["crf"] == "20.5"
    assert chosen(info, qp=22).options == {"preset": "veryfast", "qp": "22"}
    assert chosen(info, encoder="libvpx-vp9", crf=30).options == {"crf": "30"}
    assert "pools=1" in chosen(info, pixel_format="yuv420p10le", depth=10).options["x265-params"]


def test_quality_meant_for_another_encoder_is_not_carried_over(info):
    choice = chosen(info, (65, 63), crf=40.0, preset="slow")
    assert (choice.options["crf"], choice.options["preset"]) == ("17", "8")
    assert "at its usual quality" in choice.note


@pytest.mark.parametrize(
    "options, message",
    [
        ({"crf": 20.0, "qp": 20}, "exclude each other"),
        ({"encoder": "ffv1", "crf": 20.0}, "ffv1 has no option crf; leave --crf out"),
        ({"preset": "warp"}, "libx264 doesn't take --preset warp"),
    ],
)
def test_options_that_can_not_be_are_usage_errors(info, options, message):
    with pytest.raises(UsageError, match=message):
        chosen(info, **options)


@pytest.mark.parametrize("pixel_format, depth", [("yuv420p", 8), ("gray", 8), ("yuv422p10le", 10)])
def test_the_lossless_encoder_takes_any_size(info, pixel_format, depth):
    for size in product(range(1, 20), repeat=2):
        assert chosen(info, size, pixel_format, depth, encoder="ffv1").name == "ffv1"
