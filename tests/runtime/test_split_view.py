"""Left before, right after, and a line between."""

import numpy as np
import pytest

from runtime.split_view import LINE_PX, before_and_after


@pytest.mark.parametrize("width", [7, 8, 64])
def test_each_half_is_its_own_and_a_white_line_parts_them(width):
    before, after = np.full((5, width), 10, np.uint8), np.full((5, width), 20, np.uint8)
    both = before_and_after(before, after, 255)
    left = width // 2 - LINE_PX // 2
    assert (both[:, :left] == 10).all() and (both[:, left : left + LINE_PX] == 255).all()
    assert (both[:, left + LINE_PX :] == 20).all()
    assert (before == 10).all() and (after == 20).all()


def test_deep_samples_are_byte_pairs():
    before, after = (np.full((2, 8), level, "<u2") for level in (100, 200))
    both = before_and_after(*(plane[..., None].view(np.uint8) for plane in (before, after)), 1023)
    assert both.view("<u2")[0, :, 0].tolist() == [100] * 3 + [1023] * 2 + [200] * 3


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_picture_too_narrow_for_a_line_has_none(width):
    both = before_and_after(np.zeros((2, width), np.uint8), np.ones((2, width), np.uint8), 255)
    assert both.max() == 1 and both.sum() == 2 * (width - width // 2)
