"""Short-term reference picture sets: which pictures around the current one are kept (7.3.7, 7.4.8)."""

from collections.abc import Sequence

from runtime.hevc.bit_reader import BitReader, required

MAX_PICTURES = 16  # of a decoded picture buffer
# pictures by their distance in output order, and whether the current one itself refers to them: those before it from
# the nearest on, then those after it
ReferenceSet = tuple[tuple[int, bool], ...]


def read_reference_set(bits: BitReader, known: Sequence[ReferenceSet], is_of_slice: bool) -> ReferenceSet:
    """Read st_ref_pic_set(len(known)).

    Args:
        bits: at its beginning.
        known: in a sequence parameter set the sets before it; in a slice's header all that the parameter set holds.
        is_of_slice: it stands in a slice's header.

    Raises:
        BitstreamError: it names a set or a number of pictures that can't be.
    """
    found = _predicted(bits, known, is_of_slice) if known and bits.flag() else _listed(bits)
    required(len(found) <= MAX_PICTURES, "the number of reference pictures")
    return found


def _listed(bits: BitReader) -> ReferenceSet:
    n_before, n_after = bits.unsigned(), bits.unsigned()
    required(n_before + n_after <= MAX_PICTURES, "the number of reference pictures")
    return (*_steps(bits, n_before, -1), *_steps(bits, n_after, 1))


def _steps(bits: BitReader, count: int, direction: int) -> ReferenceSet:
    pictures, distance = [], 0
    for _ in range(count):
        distance += direction * (bits.unsigned() + 1)
        pictures.append((distance, bits.flag()))
    return tuple(pictures)


def _predicted(bits: BitReader, known: Sequence[ReferenceSet], is_of_slice: bool) -> ReferenceSet:
    """Shift an earlier set and the current picture with it, keeping what is asked for, (7-61) and (7-62)."""
    back = bits.unsigned() + 1 if is_of_slice else 1
    required(back <= len(known), "the set that a reference picture set is predicted from")
    is_backward, size = bits.flag(), bits.unsigned() + 1
    shifted = []
    for distance, _ in (*known[-back], (0, False)):
        is_used = bits.flag()
        if is_used or bits.flag():
            shifted.append((distance - size if is_backward else distance + size, is_used))
    before = sorted((picture for picture in shifted if picture[0] < 0), reverse=True)
    return (*before, *sorted(picture for picture in shifted if picture[0] > 0))
