"""FrameRing against a plain list."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqe.neighbors import ADJACENT, LOW_DELAY, PEAK_QUALITY, distances, offsets, reach
from runtime.ring import FrameRing
from runtime.slots import HostSlots, RingLayout
from runtime.stages import Stages, Stopped

SHAPE = (2, 3)


def picture(number: int) -> np.ndarray:
    return np.full(SHAPE, number, np.uint8)


def expected_windows(
    scenes: list[list[int]], radius: int, neighbors: str = ADJACENT, qps: Sequence[float | None] = (None,)
) -> list[list[int]]:
    ahead = reach(neighbors, radius)
    windows = []
    targets = [(scene, i) for scene in scenes for i in range(len(scene))]
    for n, (scene, i) in enumerate(targets):
        around = [scene[min(max(i + d, 0), len(scene) - 1)] for d in range(-ahead, ahead + 1)]
        apart = distances(neighbors, n, [qps[number % len(qps)] for number in around])
        windows.append([around[ahead + offset] for offset in offsets(radius, apart)])
    return windows


def scenes_of(lengths: list[int]) -> list[list[int]]:
    first = np.cumsum([0, *lengths])
    return [list(range(start, start + length)) for start, length in zip(first, lengths, strict=False)]


def write_all(ring: FrameRing, scenes: list[list[int]], qps=(None,)) -> None:
    for scene in scenes:
        for number in scene:
            ring.write(picture(number), qp=qps[number % len(qps)])
        ring.end_scene()
    ring.finish()


WINDOWS = st.one_of(
    st.tuples(st.integers(0, 4), st.just(ADJACENT)), st.just((1, LOW_DELAY)), st.just((1, PEAK_QUALITY))
)
QPS = st.lists(st.sampled_from([None, 30, 31, 32, 33]), min_size=1)  # in turn


@given(window=WINDOWS, ahead=st.integers(1, 5), lengths=st.lists(st.integers(1, 25), max_size=5), qps=QPS)
@settings(deadline=None, max_examples=80)
def test_windows_are_those_of_a_plain_list(window, ahead, lengths, qps):
    (radius, neighbors), scenes, stages = window, scenes_of(lengths), Stages()
    ring = FrameRing(HostSlots(RingLayout(radius, ahead, neighbors), SHAPE), stages)
    in_flight = stages.channel(3)
    seen = []

    def hand_out():
        for window in ring.windows():
            assert all(frame.flags.c_contiguous for frame in window.frames)
            assert window.frames.flags.c_contiguous or neighbors != ADJACENT
            seen.append((window.number, window.frames[:, 0, 0].tolist()))
            assert window.begins_scene == (window.number in {scene[0] for scene in scenes})
            in_flight.put(window)
        in_flight.end()

    def read_again_and_release():
        for window in in_flight:  # a device still reads these while later ones are handed out
            assert window.frames[:, 0, 0].tolist() == seen[window.number][1]
            window.release()

    stages.start("write", lambda: write_all(ring, scenes, qps))
    stages.start("hand out", hand_out)
    stages.start("release", read_again_and_release)
    stages.join()
    assert [number for number, _ in seen] == list(range(sum(lengths)))
    assert [frames for _, frames in seen] == expected_windows(scenes, radius, neighbors, qps)


def test_low_delay_windows_hold_every_other_frame_at_every_fourth_target():
    assert expected_windows([list(range(9))], 1, LOW_DELAY) == [
        [0, 0, 1],
        [0, 1, 2],
        [0, 2, 4],
        [2, 3, 4],
        [3, 4, 5],
        [4, 5, 6],
        [4, 6, 8],
        [6, 7, 8],
        [7, 8, 8],
    ]


def test_the_order_counts_of_frames_choose_their_neighbors_where_they_are_told():
    ring = FrameRing(HostSlots(RingLayout(1, 20, LOW_DELAY), SHAPE))
    for number, order_count in enumerate([0, 1, 2, 3, 4, 0, 1, 2, 3, 5, 6, 7]):  # a new start, and 4 is lost
        ring.write(picture(number), order_count)
    ring.finish()
    windows = [window.frames[:, 0, 0].tolist() for window in ring.windows()]
    apart = [number for number, (first, _, last) in enumerate(windows) if last - first == 4]
    assert apart == [2, 7] and windows[7] == [5, 7, 9] and windows[10] == [8, 10, 11]


def test_a_slot_is_not_rewritten_before_its_last_window_is_released():
    ring = FrameRing(HostSlots(RingLayout(1, 1), SHAPE), (stages := Stages()))
    stages.start("write", lambda: write_all(ring, [list(range(10))]))
    windows = ring.windows()
    first = next(windows)
    time.sleep(0.05)  # the writer runs as far as it may
    assert first.frames[:, 0, 0].tolist() == [0, 0, 1]
    first.release()
    for window in windows:
        window.release()
    stages.join()


def test_a_writer_waits_no_longer_when_the_run_stops():
    stages = Stages()
    ring = FrameRing(HostSlots(RingLayout(1, 1), SHAPE), stages)
    ended = threading.Event()

    def write():
        try:
            for number in range(100):
                ring.write(picture(number))
        except Stopped:
            ended.set()
            raise

    stages.start("write", write)
    next(ring.windows())
    stages.stop()
    stages.join()
    assert ended.is_set()


@pytest.mark.parametrize("radius, ahead", [(-1, 1), (3, 0)])
def test_impossible_rings_are_refused(radius, ahead):
    with pytest.raises(ValueError, match="at least"):
        RingLayout(radius, ahead)


def test_releasing_twice_is_our_own_mistake_and_not_silent():
    stages = Stages()
    ring = FrameRing(HostSlots(RingLayout(0, 2), SHAPE), stages)
    ring.write(picture(0))
    window = next(ring.windows())
    window.release()
    with pytest.raises(KeyError):
        window.release()


@given(radius=st.integers(0, 3), lengths=st.lists(st.integers(1, 9), max_size=4))
@settings(deadline=None, max_examples=30)
def test_a_frame_comes_in_once_and_is_copied_from_place_to_place(radius, lengths):
    class Watched(HostSlots):
        n_written = 0

        def write(self, place: int, luma: np.ndarray) -> None:
            assert place < self.layout.n_slots
            self.n_written += 1
            super().write(place, luma)

    slots = Watched(RingLayout(radius, 2), SHAPE)
    ring = FrameRing(slots, stages := Stages())
    stages.start("write", lambda: write_all(ring, scenes_of(lengths)))
    for window in ring.windows():
        window.release()
    stages.join()
    assert slots.n_written == sum(lengths)


@pytest.mark.parametrize("radius, ahead", [(0, 1), (1, 1), (3, 4)])
def test_no_more_windows_are_out_than_the_layout_says(radius, ahead):
    layout = RingLayout(radius, ahead)
    ring = FrameRing(HostSlots(layout, SHAPE), stages := Stages())
    stages.start("write", lambda: write_all(ring, [list(range(30))]))
    windows = ring.windows()
    out = [next(windows) for _ in range(layout.n_out)]
    for _ in range(10):
        time.sleep(0.002)  # the writer runs as far as it may
        assert not ring._ready
        out.pop(0).release()
        out.append(next(windows))
    stages.stop()
    stages.join()
