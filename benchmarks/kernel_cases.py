"""The deformable convolutions of our networks, as problems for the kernels' compiler."""

from dataclasses import replace

from plugins.deform_conv.problem import ITEM_BYTES, Problem

CAPABILITIES = (75, 80, 86, 89, 90, 100, 120)
FRAME = (720, 1280)


def tgafnet_case(channels: int, kernel: int) -> Problem:
    """Return one of TGAFNet's, its offsets and mask packed: a channel, an offset group; 64 channels out."""
    pad = kernel // 2
    return Problem(channels, 64, (kernel, kernel), pads=(pad,) * 4, offset_group=channels, mask="logits", packed=True)


NETWORK_CASES = {
    "tgafnet 3 channels 1x1": tgafnet_case(3, 1),
    "tgafnet 3 channels 3x3": tgafnet_case(3, 3),
    "tgafnet 3 channels 5x5": tgafnet_case(3, 5),
    "tgafnet 64 channels 1x1": tgafnet_case(64, 1),
    "live warp of 2 planes": Problem(2, 2, (1, 1), offset_group=2, dtype="fp32"),
}


def plain(problem: Problem) -> Problem:
    """Return the standard node of a problem: offset and mask tensors of their own, behind Split and Sigmoid."""
    return replace(problem, mask="values", packed=False) if problem.packed else problem


def saved_bytes(problem: Problem, height: int, width: int) -> tuple[int, int]:
    """Return what a Split and a Sigmoid move that a packed problem does without, each tensor read and written once."""
    if not problem.packed:
        return 0, 0
    out_height, out_width = problem.out_size(height, width)
    plane_bytes = out_height * out_width * ITEM_BYTES[problem.dtype]
    return 2 * problem.offset_channels * plane_bytes, 2 * problem.offset_channels // 3 * plane_bytes
