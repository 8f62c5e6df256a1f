"""What the compiled reader of slice data knows and keeps: the rules of a slice segment and its state, in one record.

A record of whole numbers, because compiled code reads their fields as fast as a local variable and can't take a
dataclass. Flags are 0 or 1; `log2` is of a side in luma samples.
"""

import numpy as np

from runtime.hevc.contexts import N_BYTES
from runtime.hevc.picture_parameters import PictureParameters
from runtime.hevc.sequence_parameters import SequenceParameters
from runtime.hevc.slice_header import B_SLICE, I_SLICE, P_SLICE, SliceHeader
from runtime.hevc.slice_segment import SliceSegment

_RULES = (
    # of the picture
    "width",
    "height",
    "columns",
    "rows",
    "chroma_format",
    "luma_depth",
    "chroma_depth",
    "log2_coding_tree",
    "log2_min_coding",
    "log2_min_transform",
    "log2_max_transform",
    "max_depth_inter",
    "max_depth_intra",
    "has_asymmetric_parts",
    "has_pcm",
    "pcm_luma_depth",
    "pcm_chroma_depth",
    "log2_min_pcm",
    "log2_max_pcm",
    "has_single_skip_context",
    "has_implicit_rdpcm",
    "has_explicit_rdpcm",
    "has_rice_adaptation",
    "hides_signs",
    "has_transform_skip",
    "log2_max_transform_skip",
    "has_block_qps",
    "log2_qp_group",
    "may_be_lossless",
    "has_tiles",
    "has_wavefronts",
    "has_cross_component",
    "log2_chroma_offset_group",
    "n_chroma_offsets",
    # of the slice
    "is_intra",
    "is_bidirectional",
    "context_kind",
    "qp",
    "has_luma_offsets",
    "has_chroma_offsets",
    "n_references_0",
    "n_references_1",
    "has_no_second_motion",
    "n_merge_candidates",
    "has_chroma_qp_offsets",
    "slice_address",
    # of the segment
    "is_dependent",
    "address",
)
STATE = np.dtype(
    [
        *((name, np.int64) for name in _RULES),
        # the arithmetic decoder's registers, and its contexts
        ("value", np.int64),
        ("range", np.int64),
        ("n_spare", np.int64),
        ("position", np.int64),
        ("contexts", np.uint8, (N_BYTES,)),
        ("next_place", np.int64),  # behind the segment, in the order of coding
        ("unit_qp", np.int64),  # of the coding unit being read
        ("last_qp", np.int64),  # of the one before it
        ("predicted_qp", np.int64),  # of the quantisation group
        ("is_qp_read", np.int64),  # once for a quantisation group
        ("is_chroma_offset_read", np.int64),
        # of the intra coding unit being read, a value for each quarter
        ("directions", np.int64, (4,)),
        ("chroma_directions", np.int64, (4,)),
        ("is_chroma_derived", np.int64, (4,)),
        # by depth in the transform tree: bit 0 the block, bit 1 the lower one of 4:2:2
        ("coded_cb", np.int64, (6,)),
        ("coded_cr", np.int64, (6,)),
    ]
)

_I_KIND, _P_KIND, _B_KIND = 0, 1, 2


def state_of_picture(picture: PictureParameters, sequence: SequenceParameters) -> np.record:
    """Make a record with what the parameter sets say for reading slice data; set_slice() writes the rest."""
    state = np.zeros(1, STATE).view(np.recarray)[0]
    assert isinstance(state, np.record)
    for name, value in {**_of_sequence(sequence), **_of_picture(picture, sequence)}.items():
        state[name] = value
    return state


def set_slice(state: np.record, segment: SliceSegment) -> None:
    """Write what a segment's header says, and that of the slice it belongs to."""
    for name, value in _of_segment(segment).items():  # by name, for a record's attributes take ten times as long
        state[name] = value


def _of_segment(segment: SliceSegment) -> dict[str, int]:
    header = segment.slice_header
    return {
        "is_intra": header.type == I_SLICE,
        "is_bidirectional": header.type == B_SLICE,
        "context_kind": _context_kind(header),
        "qp": header.qp or 0,
        "has_luma_offsets": header.has_luma_offsets,
        "has_chroma_offsets": header.has_chroma_offsets,
        "n_references_0": header.n_references[0],
        "n_references_1": header.n_references[1],
        "has_no_second_motion": header.has_no_second_motion,
        "n_merge_candidates": header.n_merge_candidates,
        "has_chroma_qp_offsets": segment.has_chroma_qp_offsets,
        "slice_address": segment.slice_address,
        "address": segment.address,
        "is_dependent": segment.is_dependent,
    }


def _of_sequence(sequence: SequenceParameters) -> dict[str, int]:
    picture, blocks, tools, extension = sequence.format, sequence.blocks, sequence.tools, sequence.extension
    return {
        "width": picture.width,
        "height": picture.height,
        "columns": sequence.n_columns,
        "rows": sequence.n_rows,
        "chroma_format": picture.chroma_format if picture.has_chroma else 0,
        "luma_depth": picture.luma_depth,
        "chroma_depth": picture.chroma_depth,
        **blocks._asdict(),
        "has_asymmetric_parts": tools.has_asymmetric_parts,
        "has_pcm": tools.has_pcm,
        "pcm_luma_depth": tools.pcm_luma_depth,
        "pcm_chroma_depth": tools.pcm_chroma_depth,
        "log2_min_pcm": tools.log2_min_pcm,
        "log2_max_pcm": tools.log2_max_pcm,
        "has_single_skip_context": extension.has_single_skip_context,
        "has_implicit_rdpcm": extension.has_implicit_rdpcm,
        "has_explicit_rdpcm": extension.has_explicit_rdpcm,
        "has_rice_adaptation": extension.has_rice_adaptation,
    }


def _of_picture(picture: PictureParameters, sequence: SequenceParameters) -> dict[str, int]:
    log2_coding_tree = sequence.blocks.log2_coding_tree
    return {
        "hides_signs": picture.hides_signs,
        "has_transform_skip": picture.has_transform_skip,
        "log2_max_transform_skip": picture.extension.log2_max_transform_skip,
        "has_block_qps": picture.has_block_qps,
        "log2_qp_group": log2_coding_tree - picture.qp_group_depth,
        "may_be_lossless": picture.may_be_lossless,
        "has_tiles": picture.tiles is not None,
        "has_wavefronts": picture.has_wavefronts,
        "has_cross_component": picture.extension.has_cross_component,
        "log2_chroma_offset_group": log2_coding_tree - picture.extension.chroma_offset_depth,
        "n_chroma_offsets": picture.extension.n_chroma_offsets,
    }


def _context_kind(header: SliceHeader) -> int:
    """Which initial values contexts take: slices that predict may swap theirs (9.3.2.2, initType)."""
    if header.type == I_SLICE:
        return _I_KIND
    return _B_KIND if (header.type == P_SLICE) == header.swaps_contexts else _P_KIND
