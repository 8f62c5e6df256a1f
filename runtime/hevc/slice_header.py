"""The header of a slice segment, up to the slice's quantiser (7.3.6.1)."""

from typing import NamedTuple

from runtime.hevc.bit_reader import BitReader, required
from runtime.hevc.nal_units import NalUnit
from runtime.hevc.parameter_sets import ParameterSets
from runtime.hevc.picture_parameters import MAX_REFERENCES, PictureParameters
from runtime.hevc.reference_sets import read_reference_set
from runtime.hevc.sequence_parameters import SequenceParameters

# the longest header up to the quantiser: some 130 bytes of reference sets and 400 of prediction weights
MOST_BYTES = 1024
HIGHEST_QP = 51
MAX_LONG_TERMS = 33
_MOST_MERGE_CANDIDATES = 5
B_SLICE, P_SLICE, I_SLICE = 0, 1, 2


class SliceHeader(NamedTuple):
    """One slice segment's place and what its slice's blocks are coded with.

    Attributes:
        is_first: of its picture.
        is_dependent: it goes on with the slice of the segment before it; all but the place holds nothing then.
        address: of its first coding tree block, in raster order.
        type, qp: B_SLICE, P_SLICE or I_SLICE, and the quantiser, of its slice; None in a dependent segment.
        order_count: the low bits of the picture's.
        has_luma_offsets, has_chroma_offsets: sample adaptive offsets.
        n_references: pictures in either list.
        has_no_second_motion: mvd_l1_zero_flag.
        swaps_contexts: cabac_init_flag.
    """

    is_first: bool
    is_dependent: bool
    address: int
    type: int | None = None
    qp: int | None = None
    order_count: int = 0
    has_luma_offsets: bool = False
    has_chroma_offsets: bool = False
    n_references: tuple[int, int] = (0, 0)
    has_no_second_motion: bool = False
    swaps_contexts: bool = False
    n_merge_candidates: int = 0


class _Prediction(NamedTuple):
    n_references: tuple[int, int] = (0, 0)
    has_no_second_motion: bool = False
    swaps_contexts: bool = False
    n_merge_candidates: int = 0


def read_slice_header(unit: NalUnit, sets: ParameterSets) -> SliceHeader:
    """Read a slice segment's header up to its quantiser, SliceQpY = 26 + init_qp_minus26 + slice_qp_delta.

    Raises:
        BitstreamError: it is cut off, a value is out of range, or a parameter set it refers to is missing.
    """
    return read_to_quantiser(BitReader(unit.payload(MOST_BYTES)), unit, sets)[0]


def read_to_quantiser(
    bits: BitReader, unit: NalUnit, sets: ParameterSets
) -> tuple[SliceHeader, PictureParameters, SequenceParameters]:
    """Read the header as read_slice_header() does, and stop behind the quantiser, or behind a dependent's address.

    Args:
        bits: of the unit's payload, at its beginning.
        unit: the segment.
        sets: the parameter sets that were sent before it.

    Returns:
        the header, and the parameter sets it refers to.

    Raises:
        BitstreamError: as read_slice_header().
    """
    is_first = bits.flag()
    if unit.is_irap:
        bits.skip(1)
    picture, sequence = sets.of_slice(bits.unsigned())
    is_dependent, address = False, 0
    if not is_first:
        is_dependent = picture.has_dependent_slices and bits.flag()
        address = bits.bits(bits_for(sequence.n_coding_trees))
        required(address < sequence.n_coding_trees, "the address", address)
    if is_dependent:
        return SliceHeader(is_first, is_dependent, address), picture, sequence
    header = _SliceReader(bits, unit, picture, sequence).read(SliceHeader(is_first, is_dependent, address))
    return header, picture, sequence


def bits_for(count: int) -> int:
    """Return the bits that numbers below `count` take: Ceil(Log2(count))."""
    return (count - 1).bit_length()


class _SliceReader:
    """Reads the elements of an independent segment, in whose order each decides about the next."""

    def __init__(
        self, bits: BitReader, unit: NalUnit, picture: PictureParameters, sequence: SequenceParameters
    ) -> None:
        self.bits, self.unit, self.picture, self.sequence = bits, unit, picture, sequence

    def read(self, place: SliceHeader) -> SliceHeader:
        """Read on from the reserved bits."""
        bits, sequence = self.bits, self.sequence
        bits.skip(self.picture.n_extra_bits)
        slice_type = bits.unsigned()
        required(slice_type <= I_SLICE, "the slice type", slice_type)
        bits.skip(self.picture.has_output_flag + 2 * sequence.format.has_separate_planes)
        order_count, n_used, has_temporal_motion = (0, 0, False) if self.unit.is_idr else self._references_in_buffer()
        has_offsets = sequence.tools.has_sample_adaptive_offset
        has_luma_offsets = has_offsets and bits.flag()
        has_chroma_offsets = has_offsets and sequence.format.has_chroma and bits.flag()
        prediction = _Prediction()
        if slice_type != I_SLICE:
            prediction = self._prediction(slice_type, n_used, has_temporal_motion)
        qp = self.picture.initial_qp + bits.signed()
        required(sequence.format.lowest_qp <= qp <= HIGHEST_QP, "the quantiser", qp)
        return SliceHeader(
            place.is_first,
            place.is_dependent,
            place.address,
            slice_type,
            qp,
            order_count,
            has_luma_offsets,
            has_chroma_offsets,
            *prediction,
        )

    def _references_in_buffer(self) -> tuple[int, int, bool]:
        """Read which pictures are kept.

        Returns:
            the order count's low bits, how many pictures may be referred to, and whether their motion may be, too.
        """
        bits, known = self.bits, self.sequence.reference_sets
        order_count = bits.bits(self.sequence.log2_max_order_count)
        if not bits.flag():
            chosen = read_reference_set(bits, known, is_of_slice=True)
        else:
            required(bool(known), "the choice among no reference picture sets")
            index = bits.bits(bits_for(len(known)))
            required(index < len(known), "the reference picture set", index)
            chosen = known[index]
        n_used = len([distance for distance, is_used in chosen if is_used]) + self._long_terms()
        return order_count, n_used, self.sequence.has_temporal_motion and bits.flag()

    def _long_terms(self) -> int:
        """Pass over the long-term pictures; return how many may be referred to."""
        bits, listed = self.bits, self.sequence.used_long_terms
        if listed is None:
            return 0
        n_listed = bits.unsigned() if listed else 0
        n_all = n_listed + bits.unsigned()
        required(n_all <= MAX_LONG_TERMS, "the number of long-term pictures,", n_all)
        n_used = 0
        for number in range(n_all):
            n_used += self._listed_long_term(listed) if number < n_listed else self._own_long_term()
            if bits.flag():
                bits.unsigned()
        return n_used

    def _listed_long_term(self, listed: tuple[bool, ...]) -> bool:
        index = self.bits.bits(bits_for(len(listed)))
        required(index < len(listed), "the long-term picture", index)
        return listed[index]

    def _own_long_term(self) -> bool:
        self.bits.skip(self.sequence.log2_max_order_count)
        return self.bits.flag()

    def _prediction(self, slice_type: int, n_used: int, has_temporal_motion: bool) -> _Prediction:
        """Read what P and B slices say of their references."""
        bits, picture, is_b = self.bits, self.picture, slice_type == B_SLICE
        n_references = self._numbers_of_references(is_b)
        if picture.may_reorder_references and n_used > 1:
            self._skip_order(n_references, bits_for(n_used))
        has_no_second_motion = is_b and bits.flag()
        swaps_contexts = picture.has_cabac_choice and bits.flag()
        if has_temporal_motion:
            is_from_first = not is_b or bits.flag()
            if n_references[0 if is_from_first else 1] > 1:
                bits.unsigned()
        if picture.has_weights_for_b if is_b else picture.has_weights:
            self._skip_weights(n_references)
        merge = bits.unsigned()
        required(merge < _MOST_MERGE_CANDIDATES, "the number of merge candidates left out,", merge)
        numbers = n_references[0], n_references[1] if is_b else 0
        return _Prediction(numbers, has_no_second_motion, swaps_contexts, _MOST_MERGE_CANDIDATES - merge)

    def _numbers_of_references(self, is_b: bool) -> list[int]:
        """Read how many pictures each list holds: one list for a P slice, two for a B slice."""
        numbers = list(self.picture.n_references[: 1 + is_b])
        if self.bits.flag():
            numbers = [self.bits.unsigned() + 1 for _ in numbers]
        required(max(numbers) <= MAX_REFERENCES, "the numbers of references", *numbers)
        return numbers

    def _skip_order(self, n_references: list[int], n_bits: int) -> None:
        for number in n_references:
            if self.bits.flag():
                self.bits.skip(number * n_bits)

    def _skip_weights(self, n_references: list[int]) -> None:
        """Pass over pred_weight_table() (7.3.6.3)."""
        bits, has_chroma = self.bits, self.sequence.format.has_chroma
        bits.unsigned()
        if has_chroma:
            bits.signed()
        for number in n_references:
            n_luma = bits.bits(number).bit_count()  # a flag for each reference
            n_chroma = bits.bits(number * has_chroma).bit_count()
            for _ in range(2 * n_luma + 4 * n_chroma):
                bits.signed()
