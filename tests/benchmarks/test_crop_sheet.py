"""On the sheet every pixel of a crop is a square of whole pixels, and no words leave it or hide each other."""

import io
from itertools import combinations

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from benchmarks.crop_place import SIDE_PX, CropPlace
from benchmarks.crop_row import DECODED, ORIGINAL, Crop, CropRow
from benchmarks.crop_sheet import COLUMNS, CROP_PX, ZOOM, caption, crop_sheet
from benchmarks.label_placement import Box
from training.evaluation.plot_style import png_from_figure
from training.evaluation.subject import Facts

LONG = "H.264, x264 medium, CRF 30,\n3 B-frames, a keyframe every 2 s"


def row(n_networks, seed=0):
    random = np.random.default_rng(seed)
    titles = [DECODED, *(f"STDF-R3L {number}" for number in range(n_networks)), ORIGINAL]
    squares = random.integers(0, 256, (len(titles), SIDE_PX, SIDE_PX), np.uint8)
    crops = [Crop(title, square, 28.5 + n, Facts(title)) for n, (title, square) in enumerate(zip(titles, squares))]  # noqa: B905
    frame = random.integers(0, 256, (240, 416), np.uint8)
    return CropRow(CropPlace("davis_horsejump-high_416x240", 18, 226, 36), LONG, frame, crops)


@pytest.mark.parametrize("n_networks", [0, 1, 10])
def test_pixels_of_crops_are_enlarged_exactly(n_networks):
    rows = [row(n_networks), row(n_networks, seed=1)]
    sheet = np.rint(255 * imread(io.BytesIO(png_from_figure(crop_sheet(rows))))[..., 0]).astype(np.uint8)
    for crop in (crop for each in rows for crop in each.crops):
        assert holds(sheet, crop.plane.repeat(ZOOM, 0).repeat(ZOOM, 1))


def holds(sheet, square):
    """Look for a square by its first row, then compare all of it."""
    tops, lefts = np.where(sheet[: 1 - CROP_PX, : 1 - CROP_PX] == square[0, 0])
    for top, left in zip(tops, lefts, strict=True):
        found = sheet[top : top + CROP_PX, left : left + CROP_PX]
        if (found[0] == square[0]).all() and (found == square).all():
            return True
    return False


def test_words_stand_inside_and_apart():
    figure = crop_sheet([row(10), row(10)])
    figure.draw_without_rendering()
    boxes = [Box(*Text.get_window_extent(text).bounds) for text in figure.texts]
    whole = Box(*figure.bbox.bounds)
    assert len(boxes) == 2 * (1 + 12)
    assert all(whole.holds(box) for box in boxes)
    assert all(one.shared_area(other) == 0 for one, other in combinations(boxes, 2))


def test_captions_tell_psnr_and_gain():
    whole = row(1)
    assert [caption(whole, crop) for crop in whole.crops] == [
        "decoded\n28.50 dB",
        "STDF-R3L 0\n29.50 dB  (+1.00)",
        "original\n",
    ]


def test_a_line_ends_after_its_columns():
    heights = [crop_sheet([row(n)]).get_figheight() for n in (COLUMNS - 2, COLUMNS - 1)]
    assert heights[0] < heights[1]
