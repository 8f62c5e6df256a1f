"""A slice segment ready to be read: its slice's header, and where its data begin (7.3.6.1)."""

from dataclasses import dataclass

from runtime.hevc.bit_reader import BitReader, BitstreamError, required
from runtime.hevc.nal_units import NalUnit
from runtime.hevc.parameter_sets import ParameterSets
from runtime.hevc.picture_parameters import PictureParameters
from runtime.hevc.sequence_parameters import SequenceParameters
from runtime.hevc.slice_header import SliceHeader, read_to_quantiser

MAX_OFFSET_BITS = 32  # of an entry point


@dataclass(frozen=True)
class SliceSegment:
    """One segment of a slice.

    Attributes:
        slice_header: that of the slice's first segment, whose elements hold for all of them.
        slice_address, address: of the slice's and of this segment's first coding tree block.
        has_chroma_qp_offsets: blocks may choose one (cu_chroma_qp_offset).
        payload: the unit's, without the zeros behind it.
        start: the byte of the payload that slice data begin at.
    """

    picture: PictureParameters
    sequence: SequenceParameters
    slice_header: SliceHeader
    slice_address: int
    address: int
    is_first: bool
    is_dependent: bool
    has_chroma_qp_offsets: bool
    payload: bytes
    start: int


def read_slice_segment(unit: NalUnit, sets: ParameterSets, before: SliceSegment | None) -> SliceSegment:
    """Read a segment's whole header.

    Args:
        unit: the segment.
        sets: the parameter sets that were sent before it.
        before: the segment before it in the same picture, None in front of the first one.

    Raises:
        BitstreamError: it is cut off, a value is out of range, what it refers to is missing, or its parameter sets use
            what is not read here.
    """
    payload = unit.payload().rstrip(b"\0")
    bits = BitReader(payload)
    header, picture, sequence = read_to_quantiser(bits, unit, sets)
    _check(picture, sequence)
    has_chroma_qp_offsets = False
    if not header.is_dependent:
        has_chroma_qp_offsets = _read_to_entry_points(bits, header, picture)
        slice_header, slice_address = header, header.address
    elif before is None:
        raise BitstreamError(f"a dependent slice segment at block {header.address} has none before it")
    else:
        has_chroma_qp_offsets = before.has_chroma_qp_offsets
        slice_header, slice_address = before.slice_header, before.slice_address
    return SliceSegment(
        picture=picture,
        sequence=sequence,
        slice_header=slice_header,
        slice_address=slice_address,
        address=header.address,
        is_first=header.is_first,
        is_dependent=header.is_dependent,
        has_chroma_qp_offsets=has_chroma_qp_offsets,
        payload=payload,
        start=_start_of_data(bits, picture, sequence, len(payload)),
    )


def _check(picture: PictureParameters, sequence: SequenceParameters) -> None:
    """Refuse what isn't read here, and what only both parameter sets together show to be wrong."""
    unread = sequence.extension.unread or picture.extension.unread
    if unread:
        raise BitstreamError(unread)
    blocks, extension = sequence.blocks, picture.extension
    deepest = blocks.log2_coding_tree - blocks.log2_min_coding
    depths = picture.qp_group_depth, extension.chroma_offset_depth
    required(max(depths) <= deepest, "the depth of quantisers", *depths)
    has_full_chroma = sequence.format.has_chroma and sequence.format.chroma_format == 3
    required(has_full_chroma or not extension.has_cross_component, "cross-component prediction of smaller chroma")


def _read_to_entry_points(bits: BitReader, header: SliceHeader, picture: PictureParameters) -> bool:
    """Read on behind the quantiser; return whether blocks may choose chroma offsets."""
    if picture.has_slice_chroma_qps:
        bits.signed()
        bits.signed()
    has_chroma_qp_offsets = picture.extension.n_chroma_offsets > 0 and bits.flag()
    is_filter_off = picture.is_filter_off
    if picture.may_override_filter and bits.flag():
        is_filter_off = bits.flag()
        if not is_filter_off:
            bits.signed()
            bits.signed()
    has_filter = header.has_luma_offsets or header.has_chroma_offsets or not is_filter_off
    bits.skip(picture.filters_across_slices and has_filter)
    return has_chroma_qp_offsets


def _start_of_data(bits: BitReader, picture: PictureParameters, sequence: SequenceParameters, size: int) -> int:
    """Pass over entry points and the header's extension, up to the whole byte behind a stop bit."""
    if picture.tiles is not None or picture.has_wavefronts:
        n_points = bits.unsigned()
        required(n_points <= sequence.n_coding_trees, "the number of entry points,", n_points)
        n_bits = bits.unsigned() + 1 if n_points else 0
        required(n_bits <= MAX_OFFSET_BITS, "the length of an entry point,", n_bits)
        bits.skip(n_points * n_bits)
    if picture.has_header_extension:
        bits.skip(8 * bits.unsigned())
    bits.skip(1)
    start = (bits.position + 7) >> 3
    required(start < size, "the beginning of the slice's data, byte", start, size)
    return start
