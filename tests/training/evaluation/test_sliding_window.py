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
