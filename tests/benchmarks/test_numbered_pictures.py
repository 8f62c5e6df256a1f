"""A picture's number survives coding, and what is damaged is no number."""

import av
import numpy as np
import pytest

from benchmarks.numbered_pictures import MOST, read_number, write_number

NUMBERS = (0, 1, 1365, 2730, MOST - 1)


@pytest.mark.parametrize("size", [(416, 240), (1280, 720), (99, 70)])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_read_back(size, number):
    luma = np.random.default_rng(0).integers(0, 256, size[::-1], np.uint8)
    write_number(luma, number)
    assert read_number(luma) == number


def test_numbers_survive_coarse_coding():
    encoder, decoder = av.CodecContext.create("libx264", "w"), av.CodecContext.create("h264", "r")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 416, 240, "yuv420p", 1
    encoder.options = {"qp": "45", "preset": "ultrafast"}
    packets = []
    for number in NUMBERS:
        picture = np.full((360, 416), 128, np.uint8)
        write_number(picture[:240], number)
        packets += encoder.encode(av.VideoFrame.from_ndarray(picture, "yuv420p"))
    packets += encoder.encode(None)
    shown = [frame.to_ndarray()[:240] for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert tuple(map(read_number, shown)) == NUMBERS


def test_a_picture_without_a_number_has_none():
    luma = np.zeros((240, 416), np.uint8)
    assert read_number(luma) is None
    write_number(luma, 7)
    luma[:, :30] = 128  # the first square and its inverse
    assert read_number(luma) is None
