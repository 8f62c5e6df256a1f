from dataclasses import replace

import numpy as np
import pytest

from cvqe.partition import ShownWindow
from runtime.partition_drawing import draw_partition, enlarged, qp_colors, unit_lines
from tests.runtime.partition_cases import made_partition

GRAY = np.full((14, 30, 3), 100, np.uint8)


def lines_by_hand(scale=1):
    """The transform units of the made partition: left and upper edges, one pixel wide."""
    marked = np.zeros((16 * scale, 32 * scale), bool)
    marked[0] = marked[8 * scale, : 16 * scale] = marked[4 * scale, : 8 * scale] = True
    marked[:, [0, 8 * scale, 16 * scale]] = True
    marked[: 8 * scale, 4 * scale] = True
    marked[1:, 24 * scale] = False
    return marked


@pytest.mark.parametrize("scale", [1, 3])
def test_lines_stand_where_units_begin(scale):
    partition = made_partition()
    marked = unit_lines(partition.transform, partition.window, scale)
    np.testing.assert_array_equal(marked, lines_by_hand(scale)[: 14 * scale, : 30 * scale])


def test_lines_move_with_what_is_cropped_on_the_left_and_above():
    marked = unit_lines(made_partition().transform, ShownWindow(left=6, top=2, width=20, height=12))
    np.testing.assert_array_equal(marked, lines_by_hand()[2:14, 6:26])


def test_what_was_not_read_stays_as_it_is():
    partition = made_partition()
    nothing = replace(partition, transform=np.zeros_like(partition.transform), coding=np.zeros_like(partition.coding))
    np.testing.assert_array_equal(draw_partition(GRAY, nothing, 2), enlarged(GRAY, 2))


def test_inside_units_there_is_the_colour_of_the_quantiser_unless_they_are_skipped():
    drawn = draw_partition(GRAY, made_partition(), 4, (30, 40)).astype(int)
    intra, skipped = drawn[34:50, 2:30], drawn[4:50, 70:110]
    assert len(np.unique(intra.reshape(-1, 3), axis=0)) == 1
    assert intra[0, 0, 2] > intra[0, 0, 0]  # the finest quantiser is blue
    kinds, counts = np.unique(skipped.reshape(-1, 3), axis=0, return_counts=True)
    assert len(kinds) == 2  # hatching on the picture's own gray
    assert kinds[counts.argmax()].tolist() == [100, 100, 100]


def test_lines_of_coding_units_are_the_brightest():
    drawn = draw_partition(GRAY, made_partition(), 4).astype(int).sum(2)
    coding, transform, inside = drawn[30, 0], drawn[30 + 6, 32], drawn[30 + 6, 30]
    assert coding > transform > inside


def test_beyond_its_ends_the_colour_scale_stands_still():
    colors = qp_colors(np.array([-12, 20, 30, 40, 51], np.int8), (20, 40))
    np.testing.assert_array_equal(colors[0], colors[1])
    np.testing.assert_array_equal(colors[3], colors[4])
    assert not np.array_equal(colors[1], colors[2])


def test_the_picture_that_is_drawn_over_is_left_alone():
    before = GRAY.copy()
    draw_partition(GRAY, made_partition(), 1)
    np.testing.assert_array_equal(GRAY, before)
