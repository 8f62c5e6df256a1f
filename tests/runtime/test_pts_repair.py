import itertools
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.pts_repair import PtsRepair

MILLISECONDS = Fraction(1, 1000)


def repaired(stamps, time_base=MILLISECONDS, rate=Fraction(25), dts=()):
    repair, given = PtsRepair(time_base, rate), []
    for number, pts in enumerate(stamps):
        picture = av.VideoFrame(2, 2, "gray")
        picture.pts = pts
        picture.dts = dts[number] if dts else None
        repair.stamp(picture)
        assert picture.time_base == time_base
        given.append(picture.pts)
    return given, repair.n_repaired


@pytest.mark.parametrize(
    "stamps, expected, n_repaired",
    [
        ([0, 40, 80], [0, 40, 80], 0),
        ([-80, -41, 3, 1000], [-80, -41, 3, 1000], 0),
        ([None, None, None], [0, 40, 80], 3),
        ([100, None, None, 300], [100, 140, 180, 300], 2),
        ([0, 40, 40, 80], [0, 40, 41, 80], 1),
        ([0, 40, 20, 41, 100], [0, 40, 41, 42, 100], 2),
        ([0, None, 40], [0, 40, 41], 2),
    ],
)
def test_as_few_stamps_as_possible_change(stamps, expected, n_repaired):
    assert repaired(stamps) == (expected, n_repaired)


def test_counting_does_not_drift():
    stamps, _ = repaired([None] * 1001, rate=Fraction(30_000, 1001))
    assert stamps[-1] == 1000 * 1001 // 30


def test_dts_stands_in_while_it_goes_forward():
    assert repaired([None, 2, None, None], dts=[1, 2, 3, 3], rate=Fraction(1000)) == ([1, 2, 3, 4], 3)


@given(st.lists(st.none() | st.integers(-50, 50), min_size=1))
def test_stamps_always_go_forward(stamps):
    given, n_repaired = repaired(stamps, time_base=Fraction(1, 30), rate=Fraction(24))
    assert all(earlier < later for earlier, later in itertools.pairwise(given))
    assert n_repaired == sum(pts != stamp for pts, stamp in zip(given, stamps, strict=True))
