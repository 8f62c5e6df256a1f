"""Places in clips are read as they are written, and are inside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.crop_place import DEFAULTS, SIDE_PX, CropPlace, place_from_text
from cvqe.errors import UsageError

NUMBER = st.integers(0, 10**6)
NAME = st.from_regex(r"[\w.-]+", fullmatch=True)


@given(NAME, NUMBER, NUMBER, NUMBER, st.booleans())
def test_a_place_is_read_as_it_is_written(clip, frame, left, top, is_streamed):
    place = CropPlace(clip, frame, left, top, is_streamed)
    assert place_from_text(str(place)) == place


@pytest.mark.parametrize("text", ["", "clip:1:2", "clip:1:2:-3", "clip:1:2:3:4", "x265/clip:1:2:3", ":1:2:3"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(UsageError, match="is no place; give CLIP:FRAME:X:Y"):
        place_from_text(text)


def test_one_default_is_of_a_streaming_site():
    assert [place.is_streamed for place in DEFAULTS] == [False, False, False, True]


@given(st.integers(SIDE_PX, 200), st.integers(SIDE_PX, 200), st.integers(0, 200), st.integers(0, 200))
def test_only_a_whole_square_is_inside(height, width, left, top):
    place = CropPlace("a", 0, left, top)
    is_whole = np.zeros((height, width))[place.area].shape == (SIDE_PX, SIDE_PX)
    try:
        place.refuse_outside(height, width)
    except UsageError as error:
        assert f"X up to {width - SIDE_PX} and Y up to {height - SIDE_PX}" in str(error)
        assert not is_whole
    else:
        assert is_whole
