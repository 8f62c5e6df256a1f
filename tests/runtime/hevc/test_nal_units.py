import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.hevc.bit_reader import BitstreamError
from runtime.hevc.nal_units import MOST_UNITS, length_size, unescaped, units_of_extradata, units_of_packet
from tests.runtime.hevc.bit_writer import annex_b, escaped, hvcc, unit, with_lengths

PAYLOADS = st.lists(st.binary(min_size=1, max_size=40).map(lambda data: data + b"\x80"), max_size=6)


def payloads_of(packet, size):
    return [found.payload() for found in units_of_packet(packet, size)]


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 255]), max_size=40).map(bytes))
def test_emulation_prevention_is_undone(payload):
    assert b"\0\0\1" not in escaped(payload)
    assert unescaped(escaped(payload)) == payload


@given(PAYLOADS)
def test_both_framings_give_every_unit_back(payloads):
    units = [unit(1, payload) for payload in payloads]
    assert payloads_of(annex_b(*units), 0) == payloads
    assert payloads_of(with_lengths(*units, size=2), 2) == payloads
    assert payloads_of(memoryview(with_lengths(*units)), 4) == payloads


def test_a_header_tells_type_layer_and_what_it_holds():
    (idr,) = units_of_packet(with_lengths(unit(20, b"\x80", layer=33)), 4)
    assert (idr.type, idr.layer, idr.is_slice_segment, idr.is_irap, idr.is_idr) == (20, 33, True, True, True)
    (sei,) = units_of_packet(with_lengths(unit(39, b"\x80")), 4)
    assert (sei.layer, sei.is_slice_segment, sei.is_irap) == (0, False, False)
    (trailing,) = units_of_packet(with_lengths(unit(1, b"\x80")), 4)
    assert (trailing.is_slice_segment, trailing.is_irap) == (True, False)


def test_zeros_between_units_belong_to_none():
    assert payloads_of(b"\0\0\0" + annex_b(unit(1, b"\x80")) + bytes(5) + annex_b(unit(1, b"\x40")), 0) == [
        b"\x80",
        b"\x40",
    ]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_extradata_of_mp4_tells_the_length_of_lengths_and_its_units(size):
    box = hvcc(unit(33, b"\x11\x80"), unit(34, b"\0\0\1\x80"), size=size)
    assert length_size(box) == size
    assert [(found.type, found.payload()) for found in units_of_extradata(box)] == [
        (33, b"\x11\x80"),
        (34, b"\0\0\1\x80"),
    ]


def test_extradata_may_be_annex_b_or_nothing():
    sets = annex_b(unit(33, b"\x11\x80"), unit(34, b"\x22\x80"))
    assert (length_size(sets), length_size(b"")) == (0, 0)
    assert [found.type for found in units_of_extradata(sets)] == [33, 34]
    assert list(units_of_extradata(b"")) == []


def test_extradata_that_is_cut_off_is_an_error():
    box = hvcc(unit(33, b"\x11\x80"), unit(34, b"\x22\x80"))
    with pytest.raises(BitstreamError, match="hvcC ends"):
        list(units_of_extradata(box[:-6]))


@given(st.binary(max_size=200), st.integers(0, 4))
def test_any_bytes_are_framed_somehow_and_units_stay_inside(packet, size):
    for found in units_of_packet(packet, size):
        assert 2 < len(found.data) <= len(packet)
        assert len(found.payload(5)) <= 5


@pytest.mark.parametrize("packet, size", [(b"\0\0\1\2\1\1" * 10**5, 0), (b"\3\2\1\1" * 10**5, 1), (bytes(10**6), 1)])
def test_no_packet_has_units_without_end(packet, size):
    assert len(list(units_of_packet(packet, size))) <= MOST_UNITS
