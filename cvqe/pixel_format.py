"""Pixel formats by FFmpeg's names: depth of a luma sample, and the planar format that holds a packed one."""

import re
from functools import cache

from av.video.format import VideoFormat

from cvqe.errors import InputError

# luma alone in plane 0, one sample per byte or per little-endian pair of bytes
_OWN_LUMA_PLANE = re.compile(
    r"gray(9le|1[0246]le)?|yuv[aj]?4(10|11|20|22|40|44)p(9le|1[0246]le)?|nv(12|16|20le|21|24|42)"
)
_SEMI_PLANAR_SUBSAMPLING = {"p0": "420", "p2": "422", "p4": "444"}


def has_luma_plane(name: str) -> bool:
    """Tell whether plane 0 of this format is luma and nothing else, in bytes or little-endian pairs of bytes."""
    return _OWN_LUMA_PLANE.fullmatch(name) is not None


@cache
def bit_depth(name: str) -> int:
    """Give the bits of one luma sample of a format with a luma plane: 8 to 16."""
    assert has_luma_plane(name), name
    return int(VideoFormat(name).components[0].bits)


def peak(name: str) -> int:
    """Give the largest luma sample the format can hold: 255, 1023, 4095, 65535."""
    return (1 << bit_depth(name)) - 1


@cache
def enhanceable_format(name: str) -> str:
    """Name the format in which luma can be enhanced and nothing of `name` is lost but rounding.

    A format whose luma is a plane of its own is its own answer. Others keep depth, subsampling and alpha:
    p010le gives yuv420p10le, yuyv422 gives yuv422p, rgb24 gives yuv444p, rgba gives yuva444p.

    Raises:
        InputError: there is no such format (frames of a GPU, for one).
    """
    if has_luma_plane(name):
        return name
    for candidate in _candidates(name):
        if _exists(candidate):
            return candidate
    raise InputError(
        f"frames of pixel format {name} can't be turned into luma and chroma planes; convert the video first"
    )


def _candidates(name: str) -> list[str]:
    """List planar formats from the tightest depth up."""
    fmt = VideoFormat(name, 64, 64)
    deepest = min(max((int(component.bits) for component in fmt.components), default=0), 16)
    if not deepest:
        return []
    suffixes = ["" if depth == 8 else f"{depth}le" for depth in (8, 9, 10, 12, 14, 16) if depth >= deepest]
    return [_family(fmt) + suffix for suffix in suffixes]


def _family(fmt: VideoFormat) -> str:
    """Spell a planar format without its depth: gray, yuv420p, yuva444p."""
    has_alpha = any(component.is_alpha for component in fmt.components)
    if len(fmt.components) == 1 and not (fmt.is_rgb or fmt.is_bayer or fmt.has_palette):
        return "gray"
    return f"yuv{'a' if has_alpha else ''}{_subsampling(fmt)}p"


def _subsampling(fmt: VideoFormat) -> str:
    if fmt.is_rgb or fmt.is_bayer or fmt.has_palette:
        return "444"
    if fmt.name[:2] in _SEMI_PLANAR_SUBSAMPLING:
        return _SEMI_PLANAR_SUBSAMPLING[fmt.name[:2]]
    return {(64, 64): "444", (32, 64): "422", (32, 32): "420", (16, 64): "411", (64, 32): "440"}.get(
        (fmt.chroma_width(), fmt.chroma_height()), "444"
    )


def _exists(name: str) -> bool:
    try:
        VideoFormat(name)
    except ValueError:
        return False
    return True
