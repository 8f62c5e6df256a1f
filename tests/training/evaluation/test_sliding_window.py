"""Windows of a stream against windows cut from a clip in memory."""

import av
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cvqe.frame import Frame
from training.evaluation.sliding_window import sliding_windows


def gray_frames(n_frames, pix_fmt="gray"):
    for number in range(n_frames):
        picture = av.VideoFrame(4, 2, pix_fmt)
        picture.planes[0].update(bytes([number]) * picture.planes[0].buffer_size)
        yield Frame(number, picture)


@given(st.integers(1, 9), st.integers(0, 4))
def test_a_window_holds_its_neighbors_and_repeats_the_clips_ends(n_frames, radius):
    windows = list(sliding_windows(gray_frames(n_frames), radius))
    assert [window.target.number for window in windows] == list(range(n_frames))
    assert [window.frames[:, 0, 0].tolist() for window in windows] == [
        np.clip(np.arange(t - radius, t + radius + 1), 0, n_frames - 1).tolist() for t in range(n_frames)
    ]


def test_no_more_is_read_than_a_window_needs():
    frames = gray_frames(100, "gray10le")
    assert next(sliding_windows(frames, 3)).frames.shape == (7, 2, 4, 2)
    assert next(frames).number == 4


def test_without_frames_there_is_no_window():
    assert list(sliding_windows(iter([]), 2)) == []


def test_low_delay_neighbors_of_every_fourth_frame_are_twice_as_far():
    windows = list(sliding_windows(gray_frames(9), 1, "low-delay"))
    assert [window.target.number for window in windows] == list(range(9))
    levels = [[int(level) for level in window.frames[:, 0, 0]] for window in windows]
    own = [levels[t][1] for t in range(9)]
    for t, (before, _, after) in enumerate(levels):
        step = 2 if t % 4 == 2 else 1
        assert (before, after) == (own[max(t - step, 0)], own[min(t + step, 8)])
