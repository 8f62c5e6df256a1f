"""HDR10: the mastering display and light levels of a video, as x265 wants to be told."""

import struct
from dataclasses import dataclass
from fractions import Fraction

import av

from runtime.side_data import side_data

_CHROMATICITY_UNIT = Fraction(1, 50_000)
_LUMINANCE_UNIT = Fraction(1, 10_000)  # cd/m2


@dataclass(frozen=True)
class Hdr10:
    """SMPTE ST 2086 mastering display and CTA-861.3 light levels, each in x265's spelling or None."""

    master_display: str | None
    max_cll: str | None

    def x265_params(self) -> list[str]:
        """Give the x265-params that write this metadata into the stream."""
        named = {"master-display": self.master_display, "max-cll": self.max_cll}
        return [f"{name}={value}" for name, value in named.items() if value is not None]


def hdr10(picture: av.VideoFrame) -> Hdr10 | None:
    """Read a picture's HDR10 metadata, or None for a video that has none."""
    mastering = side_data(picture, "MASTERING_DISPLAY_METADATA")
    light = side_data(picture, "CONTENT_LIGHT_LEVEL")
    if mastering is None and light is None:
        return None
    return Hdr10(
        master_display=None if mastering is None else _master_display(mastering),
        max_cll=None if light is None else "{},{}".format(*struct.unpack("=2I", light[:8])),
    )


def _master_display(data: bytes) -> str | None:
    """Spell AVMasteringDisplayMetadata: ten rationals (R, G, B, white point as x, y; min, max luminance), two flags."""
    *numbers, has_primaries, has_luminance = struct.unpack("=22i", data[:88])
    if not (has_primaries and has_luminance) or not all(numbers[1::2]):
        return None
    ratios = [Fraction(num, den) for num, den in zip(numbers[::2], numbers[1::2], strict=True)]
    red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y = (
        round(ratio / _CHROMATICITY_UNIT) for ratio in ratios[:8]
    )
    darkest, brightest = (round(ratio / _LUMINANCE_UNIT) for ratio in ratios[8:])
    return (
        f"G({green_x},{green_y})B({blue_x},{blue_y})R({red_x},{red_y})WP({white_x},{white_y})L({brightest},{darkest})"
    )
