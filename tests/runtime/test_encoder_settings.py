"""What is asked of an encoder, as it shows in the files it writes."""

import av
import pytest

from runtime.decoder import open_source
from runtime.encoder import open_sink
from runtime.encoder_settings import EncoderOptions
from runtime.field_order import BOTTOM_FIRST, TOP_FIRST, field_order
from tests.media import make_video

ORDERS = {"tff": TOP_FIRST, "bff": BOTTOM_FIRST}


def rewritten(source_path, output, encoder=None):
    """Write the frames of a file as they are; returns the encoder and its notes."""
    options = EncoderOptions(encoder=encoder, threads=1)
    with open_source(source_path) as source, open_sink(output, source, options) as sink:
        for item in source.items():
            sink.write_frame(item.picture)
        sink.close()
        return sink.encoder, sink.notes


def orders_in(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert all(frame.interlaced_frame for frame in frames)
        return [field_order(frame) for frame in frames]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "mov"])
def test_interlaced_video_stays_so_in_the_order_of_its_fields(tmp_path, order, container):
    source = make_video(tmp_path / f"in.{container}", fields=order, frames=7)
    output = tmp_path / f"out.{container}"
    assert rewritten(source, output) == ("libx264", [])
    assert orders_in(output) == 7 * [ORDERS[order]]


@pytest.mark.parametrize("order", ORDERS)
def test_matroska_itself_says_the_order(tmp_path, order):
    source = make_video(tmp_path / "in.mp4", fields=order)
    rewritten(source, tmp_path / "out.mkv", "ffv1")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.field_order == ORDERS[order]
    assert orders_in(tmp_path / "out.mkv") == 10 * [ORDERS[order]]


def test_ten_bits_go_to_the_encoder_that_keeps_fields(tmp_path):
    source = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv422p10le", fields="tff")
    assert rewritten(source, tmp_path / "out.mkv")[0] == "libx264"
    assert orders_in(tmp_path / "out.mkv") == 10 * [TOP_FIRST]


@pytest.mark.parametrize("encoder", ["libx265", "libsvtav1"])
def test_an_encoder_that_can_not_say_it_is_told_of_and_the_container_says_it_instead(tmp_path, encoder):
    source = make_video(tmp_path / "in.mp4", fields="bff", size=(64, 64))
    _, notes = rewritten(source, tmp_path / "out.mkv", encoder)
    assert f"{encoder} can't say that the video is interlaced: players will show both fields at once" in notes
    with open_source(tmp_path / "out.mkv") as written:
        assert written.info.field_order == BOTTOM_FIRST


def test_a_height_that_can_not_be_halved_for_both_fields_goes_to_the_next_encoder(tmp_path):
    source = make_video(tmp_path / "in.mkv", codec="ffv1", fields="tff", size=(64, 66))
    encoder, (note,) = rewritten(source, tmp_path / "out.mkv")
    assert encoder == "libsvtav1"
    assert "libx264 refuses 64x66 interlaced yuv420p: libsvtav1 is used instead" in note


def test_progressive_video_stays_so(tmp_path):
    rewritten(make_video(tmp_path / "in.mp4"), tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))
