"""Labels stand inside, apart from each other and from what they must not hide, and near where there is room."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.label_placement import GAP, Box, place_labels

INSIDE = Box(0, 0, 600, 400)
POINTS = st.lists(st.tuples(st.floats(0, 600), st.floats(0, 400)), min_size=1, max_size=14)
SIZE = st.tuples(st.floats(20, 90), st.floats(10, 16))
MARKER_PX = 10


def marker(point):
    return Box(point[0] - MARKER_PX / 2, point[1] - MARKER_PX / 2, MARKER_PX, MARKER_PX)


@settings(deadline=None)
@given(POINTS, SIZE)
def test_where_there_is_room_nothing_is_hidden(points, size):
    markers = [marker(point) for point in points]
    boxes = place_labels(points, [size] * len(points), INSIDE, markers)
    assert all(one.shared_area(other) == 0 for one, other in combinations(boxes, 2))
    assert all(box.shared_area(each) == 0 for box in boxes for each in markers)


@settings(deadline=None)
@given(POINTS, SIZE)
def test_every_label_has_its_size_and_is_inside(points, size):
    boxes = place_labels(points, [size] * len(points), INSIDE)
    assert [(box.width, box.height) for box in boxes] == [size] * len(points)
    assert all(INSIDE.holds(box) for box in boxes)


def test_a_lone_label_stands_right_of_its_point():
    (box,) = place_labels([(300, 200)], [(50, 12)], INSIDE)
    assert (box.left, box.bottom) == (300 + GAP, 200 - 6)


def test_where_there_is_no_room_the_least_is_hidden():
    everything, left = Box(0, 0, 200, 30), Box(0, 0, 100, 30)
    (box,) = place_labels([(30, 15)], [(50, 20)], everything, [everything, left])
    assert box.shared_area(left) == 0


@given(*[st.builds(Box, *[st.integers(0, 9)] * 4)] * 2)
def test_two_boxes_share_the_unit_squares_of_both(one, other):
    def squares(box):
        return {(x, y) for x in range(box.left, box.right) for y in range(box.bottom, box.top)}

    assert one.shared_area(other) == other.shared_area(one) == len(squares(one) & squares(other))
