import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.hevc.bit_reader import BitReader, BitstreamError
from tests.runtime.hevc.bit_writer import BitWriter

ELEMENTS = st.one_of(
    st.integers(0, 33).flatmap(lambda n: st.tuples(st.just("u"), st.integers(0, 2**n - 1), st.just(n))),
    st.tuples(st.just("ue"), st.integers(0, 2**32 - 2)),
    st.tuples(st.just("ue"), st.integers(0, 3)),
    st.tuples(st.just("se"), st.integers(-(2**31) + 1, 2**31 - 1)),
    st.tuples(st.just("flags"), st.booleans()),
)
READ = {"u": "bits", "ue": "unsigned", "se": "signed", "flags": "flag"}


@given(st.lists(ELEMENTS, max_size=40))
def test_what_is_written_is_read(elements):
    writer = BitWriter()
    for name, value, *length in elements:
        getattr(writer, name)(value, *length)
    reader = BitReader(writer.payload())
    assert [getattr(reader, READ[name])(*length) for name, _, *length in elements] == [
        value for _, value, *_ in elements
    ]
    assert reader.position == len(writer.text)


@pytest.mark.parametrize(
    "data, read",
    [
        (b"\xff", lambda bits: bits.bits(9)),
        (b"\xff", lambda bits: bits.skip(9)),
        (b"", lambda bits: bits.flag()),
        (b"", lambda bits: bits.unsigned()),
        (b"\x01", lambda bits: bits.unsigned()),
        (bytes(1000), lambda bits: bits.unsigned()),
        (bytes(4) + b"\x40" + bytes(4) + b"\xff", lambda bits: bits.signed()),  # 33 zeros
    ],
)
def test_the_end_is_an_error_and_never_a_number(data, read):
    with pytest.raises(BitstreamError):
        read(BitReader(data))


@given(st.binary(max_size=12), st.lists(st.sampled_from(["flag", "unsigned", "signed"]), max_size=60))
def test_any_bytes_give_numbers_until_they_end(data, names):
    reader = BitReader(data)
    try:
        for name in names:
            before = reader.position
            getattr(reader, name)()
            assert before < reader.position <= 8 * len(data)
    except BitstreamError:
        pass
