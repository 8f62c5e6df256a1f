"""The sequence parameter set: size, depth, block sizes and coding tools of a video (7.3.2.2)."""

from dataclasses import dataclass
from typing import NamedTuple

from cvqe.partition import ShownWindow
from runtime.hevc.bit_reader import BitReader, BitstreamError, required
from runtime.hevc.reference_sets import ReferenceSet, read_reference_set
from runtime.hevc.scaling_list import skip_scaling_list
from runtime.hevc.sequence_extension import SequenceExtension, read_sequence_extension

MAX_ID, MAX_SIDE_PX, MAX_DEPTH = 15, 16384, 16
MAX_PICTURE_PX = 1 << 27  # beyond level 6.2, and a partition of 40 MB
MAX_SUB_LAYERS, MAX_REFERENCE_SETS, MAX_LONG_TERMS = 7, 64, 32
# slice headers of these hold more; FFmpeg does not decode them either
SCREEN_CONTENT_PROFILES = (9, 11)
_PROFILE_BITS, _LEVEL_BITS = 88, 8  # of one profile_tier_level(), and of its level alone
_N_LEVELS = 8


@dataclass(frozen=True)
class PictureFormat:
    """How large and how deep pictures are; width and height in luma samples, before cropping."""

    chroma_format: int  # chroma_format_idc: 0 for luma alone, 1 to 3 for 4:2:0 to 4:4:4
    has_separate_planes: bool
    width: int
    height: int
    luma_depth: int
    chroma_depth: int
    window: ShownWindow

    @property
    def has_chroma(self) -> bool:
        """Whether slices code chroma along with luma (ChromaArrayType is not 0)."""
        return self.chroma_format > 0 and not self.has_separate_planes

    @property
    def lowest_qp(self) -> int:
        """The smallest luma quantiser: six less than 0 for every bit above eight."""
        return -6 * (self.luma_depth - 8)


class BlockSizes(NamedTuple):
    """Sides of blocks as powers of two, and how often a coding block may be split into transforms."""

    log2_min_coding: int
    log2_coding_tree: int
    log2_min_transform: int
    log2_max_transform: int
    max_depth_inter: int
    max_depth_intra: int


class CodingTools(NamedTuple):
    """Which tools blocks may use; PCM blocks hold samples as they are, of so many bits and between two sides."""

    has_asymmetric_parts: bool
    has_sample_adaptive_offset: bool
    has_pcm: bool = False
    pcm_luma_depth: int = 8
    pcm_chroma_depth: int = 8
    log2_min_pcm: int = 0
    log2_max_pcm: int = 0


@dataclass(frozen=True)
class SequenceParameters:
    """What all pictures of a video share.

    Attributes:
        log2_max_order_count: bits of a picture's order count in a slice's header.
        used_long_terms: for every long-term picture in the set, whether slices refer to it; None where there are none
            in the slices either.
    """

    id: int
    format: PictureFormat
    log2_max_order_count: int
    blocks: BlockSizes
    tools: CodingTools
    reference_sets: tuple[ReferenceSet, ...]
    used_long_terms: tuple[bool, ...] | None
    has_temporal_motion: bool
    extension: SequenceExtension

    @property
    def n_columns(self) -> int:
        """Coding tree blocks side by side."""
        return -(-self.format.width >> self.blocks.log2_coding_tree)

    @property
    def n_rows(self) -> int:
        """Coding tree blocks one below the other."""
        return -(-self.format.height >> self.blocks.log2_coding_tree)

    @property
    def n_coding_trees(self) -> int:
        """Coding tree blocks of a picture."""
        return self.n_columns * self.n_rows


def read_sequence_parameters(payload: bytes) -> SequenceParameters:
    """Read a parameter set.

    VUI and extensions change nothing about a slice's header up to its quantiser: where they can't be read, the
    extension says so, and the rest holds.

    Raises:
        BitstreamError: it is cut off, a value is out of range, or the profile is one of screen content.
    """
    bits = BitReader(payload)
    max_sub_layers = _read_profile(bits)
    sps_id = bits.unsigned()
    required(sps_id <= MAX_ID, "the id", sps_id)
    picture = _read_format(bits)
    log2_max_order_count = bits.unsigned() + 4
    required(log2_max_order_count <= 16, "the length of an order count,", log2_max_order_count)
    _skip_buffering(bits, max_sub_layers)
    blocks = _read_block_sizes(bits, picture)
    tools = _read_tools(bits, blocks)
    reference_sets = _read_reference_sets(bits)
    long_terms = _read_long_terms(bits, log2_max_order_count)
    has_temporal_motion = bits.flag()
    return SequenceParameters(
        id=sps_id,
        format=picture,
        log2_max_order_count=log2_max_order_count,
        blocks=blocks,
        tools=tools,
        reference_sets=reference_sets,
        used_long_terms=long_terms,
        has_temporal_motion=has_temporal_motion,
        extension=read_sequence_extension(bits, max_sub_layers),
    )


def _read_profile(bits: BitReader) -> int:
    """Pass over the id of the video parameter set and profile_tier_level() (7.3.3); return the number of sub-layers."""
    bits.skip(4)
    max_sub_layers = bits.bits(3) + 1
    required(max_sub_layers <= MAX_SUB_LAYERS, "the number of sub-layers,", max_sub_layers)
    bits.skip(1 + 3)  # temporal nesting; profile space and tier
    profile = bits.bits(5)
    if profile in SCREEN_CONTENT_PROFILES:
        raise BitstreamError(f"profile {profile}, screen content, is not read here")
    bits.skip(_PROFILE_BITS - 8 + _LEVEL_BITS)
    if max_sub_layers > 1:
        _skip_sub_layers(bits, max_sub_layers - 1)
    return max_sub_layers


def _skip_sub_layers(bits: BitReader, count: int) -> None:
    lengths = [_PROFILE_BITS * bits.flag() + _LEVEL_BITS * bits.flag() for _ in range(count)]
    bits.skip(2 * (_N_LEVELS - count))
    bits.skip(sum(lengths))


def _read_format(bits: BitReader) -> PictureFormat:
    chroma_format = bits.unsigned()
    has_separate_planes = chroma_format == 3 and bits.flag()
    width, height = bits.unsigned(), bits.unsigned()
    cropped = (bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()) if bits.flag() else (0, 0, 0, 0)
    luma_depth, chroma_depth = bits.unsigned() + 8, bits.unsigned() + 8
    required(chroma_format <= 3, "the chroma format", chroma_format)
    required(0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX, "the size", width, height)
    required(max(luma_depth, chroma_depth) <= MAX_DEPTH, "the depth", luma_depth, chroma_depth)
    required(width * height <= MAX_PICTURE_PX, "the size", width, height)
    window = _window(chroma_format, width, height, cropped)
    return PictureFormat(chroma_format, has_separate_planes, width, height, luma_depth, chroma_depth, window)


def _window(chroma_format: int, width: int, height: int, cropped: tuple[int, int, int, int]) -> ShownWindow:
    """Turn cropping, in samples of chroma, into what is shown; all of it where nothing would be left, as in FFmpeg."""
    x_step, y_step = 1 + (chroma_format in (1, 2)), 1 + (chroma_format == 1)
    left, right, top, bottom = cropped
    shown_width, shown_height = width - x_step * (left + right), height - y_step * (top + bottom)
    if min(shown_width, shown_height) <= 0:
        return ShownWindow(0, 0, width, height)
    return ShownWindow(x_step * left, y_step * top, shown_width, shown_height)


def _skip_buffering(bits: BitReader, max_sub_layers: int) -> None:
    n_told = max_sub_layers if bits.flag() else 1
    for _ in range(3 * n_told):
        bits.unsigned()


def _read_block_sizes(bits: BitReader, picture: PictureFormat) -> BlockSizes:
    min_coding = bits.unsigned() + 3
    coding_tree = min_coding + bits.unsigned()
    min_transform = bits.unsigned() + 2
    max_transform = min_transform + bits.unsigned()
    inter, intra = bits.unsigned(), bits.unsigned()
    required(
        4 <= coding_tree <= 6 and min_transform < min_coding,
        "the size of a coding block, 2 to the power of",
        min_coding,
        coding_tree,
    )
    required(max_transform <= min(coding_tree, 5), "the size of a transform, 2 to the power of", max_transform)
    required(max(inter, intra) <= coding_tree - min_transform, "the depth of a transform tree,", inter, intra)
    is_whole = picture.width % (1 << min_coding) == 0 == picture.height % (1 << min_coding)
    required(is_whole, "the size, no multiple of the smallest block,", picture.width, picture.height)
    return BlockSizes(min_coding, coding_tree, min_transform, max_transform, inter, intra)


def _read_tools(bits: BitReader, blocks: BlockSizes) -> CodingTools:
    """Pass over scaling lists; read which tools there are."""
    if bits.flag() and bits.flag():
        skip_scaling_list(bits)
    has_asymmetric_parts, has_sample_adaptive_offset = bits.flag(), bits.flag()
    if not bits.flag():
        return CodingTools(has_asymmetric_parts, has_sample_adaptive_offset)
    luma_depth, chroma_depth = bits.bits(4) + 1, bits.bits(4) + 1
    smallest = bits.unsigned() + 3
    largest = smallest + bits.unsigned()
    bits.skip(1)  # the deblocking filter of such blocks
    is_possible = blocks.log2_min_coding <= smallest and largest <= min(blocks.log2_coding_tree, 5)
    required(is_possible, "the size of a PCM block, 2 to the power of", smallest, largest)
    return CodingTools(
        has_asymmetric_parts, has_sample_adaptive_offset, True, luma_depth, chroma_depth, smallest, largest
    )


def _read_reference_sets(bits: BitReader) -> tuple[ReferenceSet, ...]:
    count = bits.unsigned()
    required(count <= MAX_REFERENCE_SETS, "the number of reference picture sets,", count)
    found: list[ReferenceSet] = []
    for _ in range(count):
        found.append(read_reference_set(bits, found, is_of_slice=False))
    return tuple(found)


def _read_long_terms(bits: BitReader, log2_max_order_count: int) -> tuple[bool, ...] | None:
    if not bits.flag():
        return None
    count = bits.unsigned()
    required(count <= MAX_LONG_TERMS, "the number of long-term pictures,", count)
    used = []
    for _ in range(count):
        bits.skip(log2_max_order_count)
        used.append(bits.flag())
    return tuple(used)
