from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.frame_times import LONG_S, settled, timed_frames
from cvqe.errors import ModelError
from runtime.engine import Enhanced
from runtime.fixed_grid import fixed_grid_map
from runtime.model_file import WEIGHTS, load_model_file

GUIDED = load_model_file(WEIGHTS / "mganet_slim_ai_qp37.onnx").manifest  # three frames and a guided map


class Watched:
    backend, precision, device = "watched", "fp32", "CPU"

    def __init__(self, is_finite=True):
        self.seen, self._is_finite = [], is_finite

    def enhance(self, frames, qp=None, guide=None):
        self.seen.append((frames, qp, guide))
        return Enhanced(frames[1], self._is_finite)


def frames_of(n):
    return [np.full((20, 18), number, np.uint8) for number in range(n)]


def test_windows_slide_over_the_frames_and_targets_have_their_guides():
    engine = Watched()
    times_ms = list(islice(timed_frames(engine, GUIDED, frames_of(4), 30.0), 5))
    assert len(times_ms) == 5 and min(times_ms) > 0
    seen = [window[:, 0, 0].tolist() for window, *_ in engine.seen]
    assert seen == [[0, 1, 2], [1, 2, 3], [2, 3, 0], [3, 0, 1], [0, 1, 2]]
    for window, qp, guide in engine.seen:
        assert qp == 30
        np.testing.assert_array_equal(guide, fixed_grid_map(window[1]))


def test_a_network_that_breaks_down_is_not_timed():
    with pytest.raises(ModelError, match="watched gives NaN"):
        next(timed_frames(Watched(is_finite=False), GUIDED, frames_of(4), 30.0))


@given(
    st.lists(st.floats(1, 2000 * LONG_S), min_size=30, max_size=30),
    st.floats(0, 5),
    st.integers(min_value=1, max_value=9),
)
def test_frames_are_taken_until_there_is_enough_time_and_enough_of_them(times_ms, seconds, at_least):
    given_ms = iter([*times_ms, *[1e6] * 10])
    taken = settled(given_ms, seconds, at_least)
    first = 0 if times_ms[0] > 1000 * LONG_S else 1
    assert taken == [*times_ms, *[1e6] * 10][first : first + len(taken)]
    assert len(taken) >= at_least and sum(taken) >= 1000 * seconds
    assert len(taken) == at_least or sum(taken[:-1]) < 1000 * seconds
