from fractions import Fraction

import av
import pytest

from runtime.segmented_encoder import SegmentedEncoder
from tests.media import pattern


def opened_x265():
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height, context.pix_fmt = 64, 48, "yuv420p10le"
    context.time_base, context.framerate = Fraction(1, 1000), Fraction(25)
    context.options = {"preset": "ultrafast", "x265-params": "log-level=none:bframes=3:pools=1"}
    context.open()
    return context


def stamps_of(n_frames):
    encoder, packets = SegmentedEncoder(opened_x265), []
    for number in range(n_frames):
        packets += encoder.encode(picture_at(40 * number))
    return [(packet.pts, packet.dts) for packet in [*packets, *encoder.flush()]]


def picture_at(pts):
    picture = pattern(pts, (64, 48), "yuv420p10le")
    picture.pts, picture.time_base = pts, Fraction(1, 1000)
    return picture


@pytest.mark.parametrize("n_frames", [1, 2])
def test_packets_of_one_or_two_frames_are_decoded_when_they_are_shown(n_frames):
    """What x265 says itself is whatever lay in its memory: right most of the time, and so tried often."""
    for _ in range(20):
        assert stamps_of(n_frames) == [(40 * number, 40 * number) for number in range(n_frames)]


def test_b_frames_are_reordered():
    stamps = stamps_of(9)
    assert sorted(pts for pts, _ in stamps) == [40 * number for number in range(9)]
    assert [pts for pts, _ in stamps] != sorted(pts for pts, _ in stamps)
    assert [dts for _, dts in stamps] == sorted(dts for _, dts in stamps)
    assert all(dts <= pts for pts, dts in stamps)
