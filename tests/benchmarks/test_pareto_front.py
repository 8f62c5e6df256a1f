"""A front holds what nothing beats, and its line is the best gain for every cost."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.pareto_front import front, steps

COORDINATES = st.integers(0, 20).map(float)  # few values: many ties
PLACES = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=12)


def beats(one, other):
    return one != other and one[0] <= other[0] and one[1] >= other[1]


@given(PLACES)
def test_a_place_is_on_the_front_where_nothing_beats_it(places):
    assert set(front(places)) == {place for place in places if not any(beats(other, place) for other in places)}


@given(PLACES)
def test_along_a_front_cost_and_gain_both_rise(places):
    kept = front(places)
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in pairwise(kept))


@given(PLACES, COORDINATES)
def test_the_line_is_the_largest_gain_that_a_cost_allows(places, cost):
    line = steps(front(places), 20.0)
    allowed = [gain for place_cost, gain in places if place_cost <= cost]
    assert [corner[0] for corner in line] == sorted(corner[0] for corner in line)
    assert [gain for corner_cost, gain in line if corner_cost <= cost][-1:] == ([max(allowed)] if allowed else [])
    assert line[-1][0] == 20.0


def test_steps_go_right_before_they_go_up():
    assert steps([(1.0, 0.1), (2.0, 0.3)], 5.0) == [(1.0, 0.1), (2.0, 0.1), (2.0, 0.3), (5.0, 0.3)]
