import pytest

from cvqe.errors import ModelError
from cvqe.neighbors import checked_neighbors, distances, offsets, patterns, reach, spacing


def test_low_delay_networks_see_the_finest_frames_from_halfway_between_them():
    assert [spacing("low-delay", number) for number in range(8)] == [1, 1, 2, 1, 1, 1, 2, 1]
    assert [number for number in range(12) if spacing("low-delay", number) == 2] == [2, 6, 10]


def test_others_see_the_next_ones():
    assert {spacing("adjacent", number) for number in range(8)} == {1}


@pytest.mark.parametrize("neighbors, radius, expected", [("adjacent", 0, 0), ("adjacent", 3, 3), ("low-delay", 1, 2)])
def test_the_reach_covers_every_window(neighbors, radius, expected):
    assert reach(neighbors, radius) == expected
    assert max(radius * spacing(neighbors, number) for number in range(8)) == expected


@pytest.mark.parametrize(
    "qps, expected",
    [
        ([30, 33, 32, 33, 30, 33, 32, 33, 30], (2, 2)),  # HM's low-delay pattern, at a finest frame
        ([33, 32, 33, 30, 33, 32, 33, 30, 33], (1, 1)),  # behind it
        ([36, 36, 30, 36, 36, 36, 30, 36, 36], (2, 2)),  # two of three coded coarsely
        ([36, 30, 36, 36, 36, 30, 36, 36, 36], (3, 1)),
        ([30, 36, 36, 36, 36, 36, 36, 36, 36], (4, 1)),  # none behind: the next frame
        ([37] * 9, (1, 1)),
        ([None] * 9, (1, 1)),
        ([30, 36, None, 30, 36, 36, 36, 30, 36], (4, 3)),  # a frame beside one unknown is no peak
        ([30, 30, 30, 30, 30, 36, 36, 36, 36], (1, 1)),  # a scene begins at its peak
        ([30, 36, 36, 33, 33, 33, 33, 33, 33], (1, 1)),  # and ends at one
    ],
)
def test_frames_of_peak_quality_are_found_by_their_quantisers(qps, expected):
    assert distances("peak-quality", 0, qps) == expected
    assert max(expected) <= reach("peak-quality", 1)


def test_a_window_stands_where_its_distances_say():
    assert offsets(3, (1, 1)) == [-3, -2, -1, 0, 1, 2, 3]
    assert offsets(1, (3, 2)) == [-3, 0, 2]
    assert offsets(0, (1, 1)) == [0]


@pytest.mark.parametrize("neighbors, expected", [("adjacent", ((1, 1),)), ("low-delay", ((1, 1), (2, 2)))])
def test_what_follows_from_numbers_is_known_beforehand(neighbors, expected):
    assert patterns(neighbors) == expected
    assert {distances(neighbors, number, ()) for number in range(8)} == set(expected)


def test_without_a_bitstream_peak_quality_is_refused():
    assert patterns("peak-quality") == ()
    with pytest.raises(ModelError, match="what a bitstream tells"):
        spacing("peak-quality", 0)


@pytest.mark.parametrize("neighbors, radius", [("nearest", 1), ("low-delay", 2), ("low-delay", 0), ("peak-quality", 3)])
def test_what_there_is_not_is_refused(neighbors, radius):
    with pytest.raises(ModelError, match=neighbors):
        checked_neighbors(neighbors, radius)
