"""The strip below a drawn picture: which frame it is, and what colours, lines and hatching mean."""

from collections.abc import Iterator, Sequence

import numpy as np

from cvqe.partition import Partition
from runtime.partition_drawing import HATCH_COLOR, INTER_LINE, INTRA_LINE, QpRange, Rgb, hatching, qp_colors
from runtime.pixel_font import HEIGHT_PX, text_mask

STRIP_PX = 28
BACKGROUND, INK = 24, 235
_FONT_SCALE = 2
_GAP_PX = 14
_BAR_PX, _SWATCH_PX = 104, 18
_TOP_PX = (STRIP_PX - HEIGHT_PX * _FONT_SCALE) // 2


def caption_strip(text: str, width: int) -> Rgb:
    """Write one line of text: uint8 [STRIP_PX, width, 3]."""
    return _laid_out([_text(text)], width)


def legend_strip(text: str, partition: Partition | None, qp_range: QpRange, width: int) -> Rgb:
    """Write one line of text and explain a drawn partition, as far as there is room: uint8 [STRIP_PX, width, 3]."""
    return _laid_out([_text(text), *(_explained(qp_range) if partition else [])], width)


def _explained(qp_range: QpRange) -> Iterator[Rgb]:
    colors = qp_colors(np.linspace(*qp_range, _BAR_PX), qp_range).astype(np.uint8)
    bar = colors[None].repeat(HEIGHT_PX * _FONT_SCALE, 0)
    yield _joined([_text(f"QP {qp_range[0]}"), bar, _text(str(qp_range[1]))], _GAP_PX // 2)
    hatched = np.full((HEIGHT_PX * _FONT_SCALE, _SWATCH_PX, 3), 90, np.uint8)
    hatched[hatching(hatched.shape[:2])] = HATCH_COLOR
    yield _joined([hatched, _text("skipped")], _GAP_PX // 2)
    for color, name in ((INTRA_LINE, "intra"), (INTER_LINE, "inter")):
        yield _joined([_outline(color), _text(name)], _GAP_PX // 2)


def _outline(color: tuple[int, int, int]) -> Rgb:
    box = np.full((HEIGHT_PX * _FONT_SCALE, HEIGHT_PX * _FONT_SCALE, 3), BACKGROUND, np.uint8)
    box[:] = color
    box[2:-2, 2:-2] = BACKGROUND
    return box


def _text(text: str) -> Rgb:
    mask = text_mask(text).repeat(_FONT_SCALE, 0).repeat(_FONT_SCALE, 1)
    return np.where(mask[..., None], INK, BACKGROUND).astype(np.uint8).repeat(3, 2)


def _joined(parts: Sequence[Rgb], gap_px: int) -> Rgb:
    gap = np.full((HEIGHT_PX * _FONT_SCALE, gap_px, 3), BACKGROUND, np.uint8)
    return np.concatenate([piece for part in parts for piece in (gap, part)][1:], axis=1)


def _laid_out(parts: Sequence[Rgb], width: int) -> Rgb:
    """Put parts side by side; the first that does not fit and those after it are left out, except text cut off."""
    strip = np.full((STRIP_PX, width, 3), BACKGROUND, np.uint8)
    left = _GAP_PX
    for number, part in enumerate(parts):
        if number and left + part.shape[1] > width:
            break
        fitting = part[:, : max(0, width - left)]
        strip[_TOP_PX : _TOP_PX + part.shape[0], left : left + fitting.shape[1]] = fitting
        left += part.shape[1] + 2 * _GAP_PX
    return strip
