"""Counts of pictures from the low bits that headers hold."""

from runtime.hevc.nal_units import NalUnit
from runtime.hevc.picture_order import PictureOrder

IDR, CRA, TRAILING, NOT_REFERRED_TO, LEADING = 19, 21, 1, 0, 8


def unit(unit_type: int, temporal_id: int = 0) -> NalUnit:
    return NalUnit(unit_type, 0, memoryview(bytes([unit_type << 1, temporal_id + 1, 0])))


def counts(*pictures: tuple[NalUnit, int]) -> list[int]:
    order = PictureOrder()
    return [order.count(picture, low, 4) for picture, low in pictures]


def test_low_bits_run_over():
    pictures = [(unit(TRAILING), number % 16) for number in range(1, 40)]
    assert counts((unit(IDR), 0), *pictures) == list(range(40))


def test_pictures_shown_before_their_anchor_count_down():
    assert counts((unit(IDR), 0), (unit(TRAILING), 8), (unit(NOT_REFERRED_TO), 4)) == [0, 8, 4]
    assert counts((unit(IDR), 0), (unit(CRA), 2), (unit(LEADING), 15)) == [0, 2, -1]


def test_half_a_cycle_counts_up_from_either_side():
    assert counts((unit(IDR), 0), (unit(TRAILING), 8), (unit(TRAILING), 0)) == [0, 8, 16]


def test_pictures_of_higher_layers_are_no_anchors():
    pictures = [(unit(TRAILING, 1), 7), (unit(NOT_REFERRED_TO), 7), (unit(TRAILING), 9)]
    assert counts((unit(IDR), 0), *pictures) == [0, 7, 7, -7]


def test_a_keyframe_in_mid_stream_goes_on_unless_the_sequence_ended():
    order = PictureOrder()
    for number in range(0, 21, 5):
        order.count(unit(TRAILING if number else IDR), number % 16, 4)
    assert order.count(unit(CRA), 8, 4) == 24
    order.end_sequence()
    assert order.count(unit(CRA), 8, 4) == 8
    assert order.count(unit(IDR), 0, 4) == 0
