"""The picture parameter set: what a slice's header holds, and the quantiser it starts from (7.3.2.3)."""

from dataclasses import dataclass

from runtime.hevc.bit_reader import BitReader, required
from runtime.hevc.scaling_list import skip_scaling_list
from runtime.hevc.sequence_parameters import MAX_ID as MAX_SEQUENCE_ID

MAX_ID, MAX_REFERENCES = 63, 16
MAX_TILE_COLUMNS, MAX_TILE_ROWS = 40, 44  # HM's own limits, beyond those of any level
_QP_ZERO = 26


@dataclass(frozen=True)
class PictureParameters:
    """What the slices of a picture share.

    Attributes:
        n_extra_bits: reserved bits at the beginning of a slice's header.
        n_references: pictures in either list where a slice does not say how many.
        initial_qp: luma quantiser to which a slice adds its own difference.
        has_block_qps: coding blocks may differ from their slice's quantiser (cu_qp_delta).
        may_reorder_references: a slice may order its lists itself.
    """

    id: int
    sequence_id: int
    has_dependent_slices: bool
    has_output_flag: bool
    n_extra_bits: int
    has_cabac_choice: bool
    n_references: tuple[int, int]
    initial_qp: int
    has_block_qps: bool
    has_weights: bool
    has_weights_for_b: bool
    may_reorder_references: bool


def read_picture_parameters(payload: bytes) -> PictureParameters:
    """Read a parameter set up to the flag of reordered references; what follows is not needed for a slice's quantiser.

    Raises:
        BitstreamError: it is cut off, or a value is out of range.
    """
    bits = BitReader(payload)
    pps_id, sequence_id = bits.unsigned(), bits.unsigned()
    required(pps_id <= MAX_ID and sequence_id <= MAX_SEQUENCE_ID, "the id", pps_id, sequence_id)
    has_dependent_slices, has_output_flag, n_extra_bits = bits.flag(), bits.flag(), bits.bits(3)
    bits.skip(1)  # sign data hiding
    has_cabac_choice = bits.flag()
    n_references = bits.unsigned() + 1, bits.unsigned() + 1
    required(max(n_references) <= MAX_REFERENCES, "the numbers of references", *n_references)
    initial_qp = _QP_ZERO + bits.signed()
    has_block_qps = _read_block_qps(bits)
    has_weights, has_weights_for_b = bits.flag(), bits.flag()
    _skip_tiles(bits)
    _skip_filters(bits)
    return PictureParameters(
        id=pps_id,
        sequence_id=sequence_id,
        has_dependent_slices=has_dependent_slices,
        has_output_flag=has_output_flag,
        n_extra_bits=n_extra_bits,
        has_cabac_choice=has_cabac_choice,
        n_references=n_references,
        initial_qp=initial_qp,
        has_block_qps=has_block_qps,
        has_weights=has_weights,
        has_weights_for_b=has_weights_for_b,
        may_reorder_references=bits.flag(),
    )


def _read_block_qps(bits: BitReader) -> bool:
    """Read the flag of block quantisers, and pass over what lies around it: the chroma offsets, most of all."""
    bits.skip(1 + 1)  # constrained intra prediction, transform skip
    has_block_qps = bits.flag()
    if has_block_qps:
        bits.unsigned()
    bits.signed()
    bits.signed()
    bits.skip(1)
    return has_block_qps


def _skip_tiles(bits: BitReader) -> None:
    """Pass over lossless blocks, tiles, and wavefronts."""
    bits.skip(1)
    has_tiles = bits.flag()
    bits.skip(1)
    if not has_tiles:
        return
    columns, rows = bits.unsigned() + 1, bits.unsigned() + 1
    required(columns <= MAX_TILE_COLUMNS and rows <= MAX_TILE_ROWS, "the numbers of tiles", columns, rows)
    if not bits.flag():
        for _ in range(columns - 1 + rows - 1):
            bits.unsigned()
    bits.skip(1)


def _skip_filters(bits: BitReader) -> None:
    """Pass over the deblocking filter and scaling lists."""
    bits.skip(1)
    if bits.flag():
        bits.skip(1)
        if not bits.flag():
            bits.signed()
            bits.signed()
    if bits.flag():
        skip_scaling_list(bits)
