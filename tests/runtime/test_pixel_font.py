import string

import numpy as np

from runtime.pixel_font import HEIGHT_PX, text_mask, text_width_px


def test_letters_and_digits_are_all_different():
    symbols = string.ascii_uppercase + string.digits + " .,-"
    assert len({text_mask(symbol).tobytes() for symbol in symbols}) == len(symbols)


def test_a_word_is_as_wide_as_it_says():
    for text in ("", "Q", "Frame 12"):
        assert text_mask(text).shape == (HEIGHT_PX, text_width_px(text))


def test_small_letters_are_capitals_and_what_is_unknown_is_a_dash():
    np.testing.assert_array_equal(text_mask("skipped ü"), text_mask("SKIPPED -"))
