"""The picture parameter set: what a slice's header holds, its tiles, and tools of its blocks (7.3.2.3)."""

from dataclasses import dataclass
from typing import NamedTuple

from runtime.hevc.bit_reader import BitReader, BitstreamError, required
from runtime.hevc.scaling_list import skip_scaling_list
from runtime.hevc.sequence_parameters import MAX_ID as MAX_SEQUENCE_ID

MAX_ID, MAX_REFERENCES = 63, 16
MAX_TILE_COLUMNS, MAX_TILE_ROWS = 40, 44  # HM's own limits, beyond those of any level
MAX_QP_DEPTH, MAX_CHROMA_OFFSETS, MAX_LOG2_TRANSFORM_SKIP = 3, 6, 5
_QP_ZERO = 26


class TileGrid(NamedTuple):
    """Tiles of a picture: how many, and the sizes in coding tree blocks of all but the last; None: of equal sizes."""

    n_columns: int
    n_rows: int
    column_widths: tuple[int, ...] | None
    row_heights: tuple[int, ...] | None


class _Quantisers(NamedTuple):
    has_transform_skip: bool
    has_block_qps: bool
    qp_group_depth: int
    has_slice_chroma_qps: bool


class _Filters(NamedTuple):
    is_across_slices: bool
    may_override: bool
    is_off: bool


class PictureExtension(NamedTuple):
    """What pps_range_extension() says; `unread` is why slice data can't be read, empty where they can."""

    log2_max_transform_skip: int = 2
    has_cross_component: bool = False
    n_chroma_offsets: int = 0
    chroma_offset_depth: int = 0
    unread: str = ""


@dataclass(frozen=True)
class PictureParameters:
    """What the slices of a picture share.

    Attributes:
        n_extra_bits: reserved bits at the beginning of a slice's header.
        n_references: pictures in either list where a slice does not say how many.
        initial_qp: luma quantiser to which a slice adds its own difference.
        has_block_qps: coding blocks may differ from their slice's quantiser (cu_qp_delta).
        qp_group_depth: how often a coding tree block is split down to the areas that share a difference.
        may_reorder_references: a slice may order its lists itself.
        tiles: None where a picture is one tile.
        filters_across_slices, may_override_filter, is_filter_off: what a slice's header says of the loop filters.
    """

    id: int
    sequence_id: int
    has_dependent_slices: bool
    has_output_flag: bool
    n_extra_bits: int
    hides_signs: bool
    has_cabac_choice: bool
    n_references: tuple[int, int]
    initial_qp: int
    has_transform_skip: bool
    has_block_qps: bool
    qp_group_depth: int
    has_slice_chroma_qps: bool
    has_weights: bool
    has_weights_for_b: bool
    may_be_lossless: bool
    has_wavefronts: bool
    tiles: TileGrid | None
    filters_across_slices: bool
    may_override_filter: bool
    is_filter_off: bool
    may_reorder_references: bool
    has_header_extension: bool
    extension: PictureExtension


def read_picture_parameters(payload: bytes) -> PictureParameters:
    """Read a parameter set; a damaged or unknown extension is told by what it says, and the rest holds.

    Raises:
        BitstreamError: it is cut off, or a value is out of range.
    """
    bits = BitReader(payload)
    pps_id, sequence_id = bits.unsigned(), bits.unsigned()
    required(pps_id <= MAX_ID and sequence_id <= MAX_SEQUENCE_ID, "the id", pps_id, sequence_id)
    has_dependent_slices, has_output_flag, n_extra_bits = bits.flag(), bits.flag(), bits.bits(3)
    hides_signs, has_cabac_choice = bits.flag(), bits.flag()
    n_references = bits.unsigned() + 1, bits.unsigned() + 1
    required(max(n_references) <= MAX_REFERENCES, "the numbers of references", *n_references)
    initial_qp = _QP_ZERO + bits.signed()
    quantisers = _read_quantisers(bits)
    has_weights, has_weights_for_b, may_be_lossless = bits.flag(), bits.flag(), bits.flag()
    has_tiles, has_wavefronts = bits.flag(), bits.flag()
    tiles = _read_tiles(bits) if has_tiles else None
    filters = _read_filters(bits)
    may_reorder_references = bits.flag()
    has_header_extension, extension = _read_end(bits, quantisers.has_transform_skip)
    return PictureParameters(
        id=pps_id,
        sequence_id=sequence_id,
        has_dependent_slices=has_dependent_slices,
        has_output_flag=has_output_flag,
        n_extra_bits=n_extra_bits,
        hides_signs=hides_signs,
        has_cabac_choice=has_cabac_choice,
        n_references=n_references,
        initial_qp=initial_qp,
        **quantisers._asdict(),
        has_weights=has_weights,
        has_weights_for_b=has_weights_for_b,
        may_be_lossless=may_be_lossless,
        has_wavefronts=has_wavefronts,
        tiles=tiles,
        filters_across_slices=filters.is_across_slices,
        may_override_filter=filters.may_override,
        is_filter_off=filters.is_off,
        may_reorder_references=may_reorder_references,
        has_header_extension=has_header_extension,
        extension=extension,
    )


def _read_quantisers(bits: BitReader) -> _Quantisers:
    """Read the elements around the flag of block quantisers."""
    bits.skip(1)  # constrained intra prediction
    has_transform_skip, has_block_qps = bits.flag(), bits.flag()
    depth = bits.unsigned() if has_block_qps else 0
    required(depth <= MAX_QP_DEPTH, "the depth of quantisers", depth)
    bits.signed()
    bits.signed()
    return _Quantisers(has_transform_skip, has_block_qps, depth, bits.flag())


def _read_tiles(bits: BitReader) -> TileGrid:
    columns, rows = bits.unsigned() + 1, bits.unsigned() + 1
    required(columns <= MAX_TILE_COLUMNS and rows <= MAX_TILE_ROWS, "the numbers of tiles", columns, rows)
    widths = heights = None
    if not bits.flag():
        widths = tuple(bits.unsigned() + 1 for _ in range(columns - 1))
        heights = tuple(bits.unsigned() + 1 for _ in range(rows - 1))
    bits.skip(1)  # filters across their borders
    return TileGrid(columns, rows, widths, heights)


def _read_filters(bits: BitReader) -> _Filters:
    """Read the loop filters' flags, and pass over scaling lists behind them."""
    is_across_slices, may_override, is_off = bits.flag(), False, False
    if bits.flag():
        may_override, is_off = bits.flag(), bits.flag()
        if not is_off:
            bits.signed()
            bits.signed()
    if bits.flag():
        skip_scaling_list(bits)
    return _Filters(is_across_slices, may_override, is_off)


def _read_end(bits: BitReader, has_transform_skip: bool) -> tuple[bool, PictureExtension]:
    """Read whether slice headers have an extension, and the set's own."""
    try:
        bits.unsigned()  # merge estimation in parallel
        has_header_extension = bits.flag()
        return has_header_extension, _extension(bits, has_transform_skip) if bits.flag() else PictureExtension()
    except BitstreamError as error:
        return False, PictureExtension(unread=f"the end of the picture parameter set can't be read: {error}")


def _extension(bits: BitReader, has_transform_skip: bool) -> PictureExtension:
    has_range, _has_multilayer, has_3d, has_screen_content = (bits.flag() for _ in range(4))
    bits.skip(4)
    if has_3d or has_screen_content:
        name = "3D" if has_3d else "screen content"
        return PictureExtension(unread=f"the extension of {name} is not read here")
    return _range_extension(bits, has_transform_skip) if has_range else PictureExtension()


def _range_extension(bits: BitReader, has_transform_skip: bool) -> PictureExtension:
    largest = bits.unsigned() + 2 if has_transform_skip else 2
    required(largest <= MAX_LOG2_TRANSFORM_SKIP, "the size of a skipped transform, 2 to the power of", largest)
    has_cross_component = bits.flag()
    depth, count = 0, 0
    if bits.flag():
        depth, count = bits.unsigned(), bits.unsigned() + 1
        required(depth <= MAX_QP_DEPTH, "the depth of chroma offsets", depth)
        required(count <= MAX_CHROMA_OFFSETS, "the number of chroma offsets", count)
    return PictureExtension(largest, has_cross_component, count, depth)
