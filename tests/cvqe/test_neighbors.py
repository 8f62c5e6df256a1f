import pytest

from cvqe.errors import ModelError
from cvqe.neighbors import checked_neighbors, reach, spacing


def test_low_delay_networks_see_the_finest_frames_from_halfway_between_them():
    assert [spacing("low-delay", number) for number in range(8)] == [1, 1, 2, 1, 1, 1, 2, 1]
    assert [number for number in range(12) if spacing("low-delay", number) == 2] == [2, 6, 10]


def test_others_see_the_next_ones():
    assert {spacing("adjacent", number) for number in range(8)} == {1}


@pytest.mark.parametrize("neighbors, radius, expected", [("adjacent", 0, 0), ("adjacent", 3, 3), ("low-delay", 1, 2)])
def test_the_reach_covers_every_window(neighbors, radius, expected):
    assert reach(neighbors, radius) == expected
    assert max(radius * spacing(neighbors, number) for number in range(8)) == expected


@pytest.mark.parametrize("neighbors, radius", [("nearest", 1), ("low-delay", 2), ("low-delay", 0)])
def test_what_there_is_not_is_refused(neighbors, radius):
    with pytest.raises(ModelError, match=neighbors):
        checked_neighbors(neighbors, radius)
