"""One picture's partition drawn over it: lines where units begin, colours for the quantiser, hatching where skipped.

|====|====|=========|    ==  a coding unit begins
|    |--+-|/ / / / /|    --  a transform unit begins inside it
|    |  | | / / / / |    //  skipped: nothing is coded but where the block is taken from
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cvqe.partition import CELL_PX, INTRA, SKIPPED, Partition, ShownWindow

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
QpRange = tuple[int, int]
Cells = TypeVar("Cells", bound=NDArray[np.generic])

DEFAULT_QP_RANGE = (16, 48)
INTER_LINE, INTRA_LINE = (255, 255, 255), (255, 224, 64)
HATCH_COLOR = (150, 160, 190)
_CODING_LINE, _TRANSFORM_LINE, _TINT, _HATCH = 0.85, 0.45, 0.33, 0.55  # how much of the picture they cover
_LARGEST_UNIT_PX = 64
_HATCH_STEP_PX = 8  # divides the largest unit's side, so that a part of a picture is hatched as the whole
# fine to coarse: blue, violet, magenta, red, orange; white and yellow lines are seen on all of them
_COLORS = ((20, 70, 220), (110, 40, 200), (190, 30, 140), (220, 50, 60), (240, 130, 20))


def draw_partition(picture: Rgb, partition: Partition, scale: int, qp_range: QpRange = DEFAULT_QP_RANGE) -> Rgb:
    """Enlarge a picture pixel by pixel and draw its partition over it.

    Args:
        picture: uint8 [H, W, 3], the part of the coded picture that is shown.
        partition: of this picture; what was not read stays without lines and colours.
        scale: pixels a pixel becomes, in both directions.
        qp_range: quantisers at the ends of the colours; what is beyond has the colour of the end.

    Returns:
        uint8 [H * scale, W * scale, 3].
    """
    canvas = enlarged(picture, scale).astype(np.float32)
    _tint(canvas, partition, scale, qp_range)
    is_skipped = _shown((partition.mode == SKIPPED) & (partition.transform > 0), partition.window, scale)
    before = scale * (partition.window.left + partition.window.top)
    _cover(canvas, is_skipped & hatching(is_skipped.shape, before), HATCH_COLOR, _HATCH)
    is_intra = _shown(partition.mode == INTRA, partition.window, scale)
    for log2_sides, alpha in ((partition.transform, _TRANSFORM_LINE), (partition.coding, _CODING_LINE)):
        lines = unit_lines(log2_sides, partition.window, scale)
        _cover(canvas, lines & ~is_intra, INTER_LINE, alpha)
        _cover(canvas, lines & is_intra, INTRA_LINE, alpha)
    return np.rint(canvas).astype(np.uint8)


def part_of(partition: Partition, left: int, top: int, width: int, height: int) -> Partition:
    """Cut out what divides a part of the shown picture, from the largest unit that it begins in on.

    Args:
        partition: of a picture.
        left, top, width, height: in pixels of what is shown of it, inside it.

    Returns:
        One whose window is that part; draw_partition gives the pixels that it gives there for the whole.
    """
    window = partition.window
    # units keep their places: every unit's side divides the largest one's
    columns, left = _cells(window.left + left, width)
    rows, top = _cells(window.top + top, height)
    maps = {name: getattr(partition, name)[rows, columns] for name in ("transform", "coding", "mode", "qp")}
    return replace(partition, **maps, window=ShownWindow(left, top, width, height))


def enlarged(picture: Rgb, scale: int) -> Rgb:
    """Repeat every pixel: uint8 [H, W, 3] gives [H * scale, W * scale, 3]."""
    return picture.repeat(scale, 1).repeat(scale, 0)  # rows last: whole ones are copied fast


def unit_lines(log2_sides: NDArray[np.uint8], window: ShownWindow, scale: int = 1) -> Mask:
    """Mark the first row and the first column of pixels of every unit: bool [height * scale, width * scale].

    Args:
        log2_sides: Partition.transform or Partition.coding; there are no lines where it is 0.
        window: what is shown, and so marked.
        scale: as draw_partition's. Lines are one pixel wide at any scale.
    """
    rows, columns = log2_sides.shape
    is_unit = log2_sides > 0
    # a unit lies at a multiple of its own side, counted in cells here
    last = np.where(is_unit, (1 << log2_sides.astype(np.int32)) // CELL_PX, 1) - 1
    step = CELL_PX * scale
    lines = np.zeros((rows * step, columns * step), bool)
    lines[::step] = (is_unit & (np.arange(rows)[:, None] & last == 0)).repeat(step, 1)
    lines[:, ::step] |= (is_unit & (np.arange(columns) & last == 0)).repeat(step, 0)
    return _cropped(lines, window, scale)


def hatching(shape: tuple[int, ...], before: int = 0) -> Mask:
    """Mark slanting lines all over: bool [H, W]; `before`: rows and columns that go before, added up."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((x + y + before) % _HATCH_STEP_PX == 0)


def qp_colors(qp: NDArray[np.int8] | NDArray[np.float64], qp_range: QpRange) -> NDArray[np.float32]:
    """Give quantisers their colours: [...] gives float32 [..., 3] in 0 to 255."""
    stops = np.linspace(*qp_range, len(_COLORS))
    channels = [np.interp(qp, stops, levels) for levels in zip(*_COLORS, strict=True)]
    return np.stack(channels, -1).astype(np.float32)


def _cells(start_px: int, length_px: int) -> tuple[slice, int]:
    """Return the cells to cut out, from a multiple of the largest unit on, and where among their pixels start_px is."""
    inside = start_px % _LARGEST_UNIT_PX
    first, end = (start_px - inside) // CELL_PX, start_px + length_px
    return slice(first, -(-end // CELL_PX)), inside


def _tint(canvas: NDArray[np.float32], partition: Partition, scale: int, qp_range: QpRange) -> None:
    is_coded = (partition.transform > 0) & (partition.mode != SKIPPED)
    alpha = np.where(is_coded, np.float32(_TINT), np.float32(0))
    canvas *= _shown(1 - alpha, partition.window, scale)[..., None]
    canvas += _shown(alpha[..., None] * qp_colors(partition.qp, qp_range), partition.window, scale)


def _cover(canvas: NDArray[np.float32], mask: Mask, color: tuple[int, int, int], alpha: float) -> None:
    pixels, covered = canvas.reshape(-1, 3), np.flatnonzero(mask)
    pixels[covered] = pixels[covered] * np.float32(1 - alpha) + np.array(color, np.float32) * np.float32(alpha)


def _shown(cells: Cells, window: ShownWindow, scale: int) -> Cells:
    """Spread a map's cells over the pixels of the part that is shown."""
    return _cropped(cells.repeat(CELL_PX * scale, 1).repeat(CELL_PX * scale, 0), window, scale)  # type: ignore[return-value]


def _cropped(pixels: Cells, window: ShownWindow, scale: int) -> Cells:
    left, top, width, height = (scale * value for value in window)
    return pixels[top : top + height, left : left + width]  # type: ignore[return-value]
