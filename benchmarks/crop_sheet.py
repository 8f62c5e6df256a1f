"""The sheet of a visual comparison: a row a clip, every pixel of a crop a square of whole pixels.

+-------+  decoded  net  net  net  net  net
| frame |  net      net  net  net  live original
+-------+  next row ...
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.crop_place import SIDE_PX
from benchmarks.crop_row import DECODED, ORIGINAL, Crop, CropRow, Plane
from training.evaluation.plot_style import COLORS, DPI, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ZOOM = 3
COLUMNS = 6  # one line of thirteen columns would be read by nobody
CROP_PX = SIDE_PX * ZOOM
GAP_PX, TITLE_PX, MARGIN_PX, ROW_GAP_PX = 12, 54, 16, 16
FRAME_PX = 400  # width of the whole frame
FONT_PT = 9.5
PLACE_COLOR = COLORS[1]

# left, top, width and height in px, counted from the sheet's upper left corner
Box = tuple[float, float, float, float]


def crop_sheet(rows: Sequence[CropRow]) -> "Figure":
    """Draw rows that have the same number of columns.

    Raises:
        BackendError: matplotlib is not installed.
    """
    width = 2 * MARGIN_PX + FRAME_PX + min(COLUMNS, len(rows[0].crops)) * (GAP_PX + CROP_PX)
    height = 2 * MARGIN_PX + sum(map(_height, rows)) + ROW_GAP_PX * (len(rows) - 1)
    # a hundredth of a pixel more, or rounding might take a whole one
    sheet = _Sheet(new_figure((width + 0.01) / DPI, (height + 0.01) / DPI), width, height)
    top = MARGIN_PX
    for row in rows:
        _draw_row(sheet, row, top)
        top += _height(row) + ROW_GAP_PX
    return sheet.figure


class _Sheet:
    """A figure measured in px."""

    def __init__(self, figure: "Figure", width: int, height: int) -> None:
        figure.set_layout_engine("none")
        self.figure, self.width, self.height = figure, width, height

    def shrunk(self, plane: Plane, box: Box) -> "Axes":
        left, top, width, height = box
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(place)
        axes.set_axis_off()
        axes.imshow(_rgb(plane), interpolation="auto", aspect="auto")
        return axes

    def enlarged(self, plane: Plane, left: int, top: int) -> None:
        shown = plane.repeat(ZOOM, 0).repeat(ZOOM, 1)
        self.figure.figimage(_rgb(shown), left, self.height - top - len(shown), origin="upper")

    def text(self, words: str, left: float, bottom: float, vertical: str = "baseline") -> None:
        place = (left / self.width, 1 - bottom / self.height)
        self.figure.text(*place, words, fontsize=FONT_PT, va=vertical, linespacing=1.15)


def _draw_row(sheet: _Sheet, row: CropRow, top: int) -> None:
    _draw_frame(sheet, row, top + TITLE_PX)
    for number, crop in enumerate(row.crops):
        line, column = divmod(number, COLUMNS)
        left = MARGIN_PX + FRAME_PX + GAP_PX + column * (CROP_PX + GAP_PX)
        upper = top + TITLE_PX + line * (TITLE_PX + CROP_PX)
        sheet.enlarged(crop.plane, left, upper)
        sheet.text(caption(row, crop), left, upper - 7)


def _draw_frame(sheet: _Sheet, row: CropRow, top: int) -> None:
    height, width = row.frame.shape
    shown = FRAME_PX * height / width
    axes = sheet.shrunk(row.frame, (MARGIN_PX, top, FRAME_PX, shown))
    place = row.place
    xs, ys = ([start - 0.5, start + SIDE_PX - 0.5] for start in (place.left, place.top))
    axes.plot([xs[0], xs[1], xs[1], xs[0], xs[0]], [ys[0], ys[0], ys[1], ys[1], ys[0]], color=PLACE_COLOR, linewidth=2)
    words = f"{place.clip}\n{row.coding}\nframe {place.frame}, {SIDE_PX}x{SIDE_PX} px at ({place.left}, {place.top})"
    sheet.text(words, MARGIN_PX, top + shown + 6, vertical="top")


def caption(row: CropRow, crop: Crop) -> str:
    """Return the two lines above a crop: what it is, and its PSNR with the gain."""
    if crop.title == ORIGINAL:
        return f"{crop.title}\n"
    gain = "" if crop.title == DECODED else f"  ({row.gain_db(crop):+.2f})"
    return f"{crop.title}\n{crop.psnr_db:.2f} dB{gain}"


def _height(row: CropRow) -> int:
    return -(-len(row.crops) // COLUMNS) * (TITLE_PX + CROP_PX)


def _rgb(plane: Plane) -> Plane:
    """Return luma in three channels; a colour map would be off by one here and there."""
    return np.dstack([plane] * 3)
