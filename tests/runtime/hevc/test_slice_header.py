"""Headers made up choice by choice, for what no encoder at hand writes; real streams are in test_picture_qp.py."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.hevc.bit_reader import BitstreamError
from runtime.hevc.nal_units import PPS_TYPE, SPS_TYPE, NalUnit, units_of_packet
from runtime.hevc.parameter_sets import ParameterSets
from runtime.hevc.slice_header import I_SLICE, bits_for, read_slice_header
from tests.runtime.hevc.bit_writer import unit, with_lengths
from tests.runtime.hevc.made_up_headers import CRA, IDR, TRAILING, MadeUpStream

SEEDS = st.integers(0, 2**32)


def as_unit(unit_type: int, payload: bytes) -> NalUnit:
    (found,) = units_of_packet(with_lengths(unit(unit_type, payload)), 4)
    return found


def sets_of(stream: MadeUpStream) -> ParameterSets:
    sets = ParameterSets()
    sets.update(as_unit(PPS_TYPE, stream.pps))  # in any order: which set a picture's belongs to is found out late
    sets.update(as_unit(SPS_TYPE, stream.sps))
    return sets


@given(SEEDS, st.sampled_from([8, 10, 12]), st.sampled_from([IDR, CRA, TRAILING]), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_the_quantiser_is_found_behind_whatever_stands_before_it(seed, depth, nal_type, is_first, data):
    qps = st.integers(-6 * (depth - 8), 51)
    stream = MadeUpStream(Random(seed), depth, initial_qp=data.draw(qps))
    qp = data.draw(qps)
    header = read_slice_header(as_unit(nal_type, stream.slice_payload(nal_type, qp, is_first)), sets_of(stream))
    assert (header.qp, header.is_first) == (qp, is_first)
    assert header.address == 0 if is_first else 0 <= header.address < stream.n_coding_trees
    assert header.type == I_SLICE or nal_type != IDR


@given(SEEDS)
@settings(max_examples=50, deadline=None)
def test_a_dependent_segment_has_no_quantiser_of_its_own(seed):
    stream = MadeUpStream(Random(seed))
    header = read_slice_header(
        as_unit(TRAILING, stream.slice_payload(TRAILING, 30, is_first=False, is_dependent=True)), sets_of(stream)
    )
    assert (header.type, header.qp) == ((None, None) if stream.has_dependent else (header.type, 30))


@given(SEEDS, st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_an_error_or_a_number_in_range(seed, data):
    stream = MadeUpStream(Random(seed))
    payloads = [bytearray(part) for part in (stream.sps, stream.pps, stream.slice_payload(TRAILING, 30))]
    damaged = data.draw(st.sampled_from(payloads))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    sets = ParameterSets()
    try:
        for unit_type, payload in zip((SPS_TYPE, PPS_TYPE), payloads, strict=False):
            sets.update(as_unit(unit_type, bytes(payload)))
        header = read_slice_header(as_unit(TRAILING, bytes(payloads[2])), sets)
    except BitstreamError:
        return
    assert header.qp is None or -48 <= header.qp <= 51


@given(SEEDS, st.sampled_from([IDR, TRAILING]), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_a_header_that_is_cut_off_is_an_error_or_whole(seed, nal_type, length):
    stream = MadeUpStream(Random(seed))
    payload = stream.slice_payload(nal_type, 33)
    with suppress(BitstreamError):
        assert read_slice_header(as_unit(nal_type, payload[:length] or b"\x80"), sets_of(stream)).qp == 33


def test_a_set_that_was_not_sent_is_an_error():
    stream = MadeUpStream(Random(1))
    sets = ParameterSets()
    sets.update(as_unit(PPS_TYPE, stream.pps))
    with pytest.raises(BitstreamError, match=f"set {stream.pps_id}, or the sequence's"):
        read_slice_header(as_unit(IDR, stream.slice_payload(IDR, 30)), sets)


@pytest.mark.parametrize("qp", [-1, 52])
def test_a_quantiser_out_of_range_is_an_error(qp):
    stream = MadeUpStream(Random(1), depth=8)
    with pytest.raises(BitstreamError, match=f"the quantiser {qp} is out of range"):
        read_slice_header(as_unit(IDR, stream.slice_payload(IDR, qp)), sets_of(stream))


def test_the_bits_of_a_choice():
    assert [bits_for(n) for n in (1, 2, 3, 4, 5, 16, 17)] == [0, 1, 2, 2, 3, 4, 5]
