"""Cuts are told from motion, flashes, fades and dissolves, on pictures made here."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from runtime import scene_cuts
from runtime.scene_cuts import COLUMNS, FLASH_FRAMES, LEAST_CHANGE, ROWS, USUAL_FRAMES, SceneCuts, change, thumbnail
from tests.scenes import SIZE, scene


def mixed(before: list[np.ndarray], after: list[np.ndarray]) -> list[np.ndarray]:
    """Return a dissolve over the whole length of two scenes."""
    shares = np.linspace(0, 1, len(before) + 2)[1:-1]
    return [(1 - share) * a + share * b for share, a, b in zip(shares, before, after, strict=True)]


def faded(frames: list[np.ndarray], down: bool) -> list[np.ndarray]:
    """Return frames that go to black, or come from it."""
    shares = np.linspace(1, 0, len(frames))
    return [16 + share * (frame - 16) for share, frame in zip(shares if down else shares[::-1], frames, strict=True)]


def cuts(frames: list[np.ndarray]) -> list[int]:
    """Return the numbers of the frames that begin a scene; all frames come out once and in order."""
    thumbs = (thumbnail(np.clip(frame, 0, 255).astype(np.uint8), 8) for frame in frames)
    told = list(SceneCuts[int]().follow(enumerate(thumbs)))
    assert [number for number, _ in told] == list(range(len(frames)))
    return [number for number, is_cut in told if is_cut]


def test_a_cut_is_told_at_its_first_frame():
    assert cuts(scene(1, 12) + scene(2, 12) + scene(3, 12)) == [12, 24]


@pytest.mark.parametrize("pan_px", [0, 4, 8])  # 5 % of the width a frame
def test_a_moving_camera_is_no_cut(pan_px):
    assert cuts(scene(1, 25, pan_px)) == []


@pytest.mark.parametrize("n_flashing", range(1, FLASH_FRAMES + 1))
def test_a_flash_is_no_cut(n_flashing):
    frames = scene(1, 16)
    for t in range(6, 6 + n_flashing):
        frames[t] = np.linspace(150, 255, SIZE[1])[None] + 0.05 * frames[t]
    assert cuts(frames) == []


def test_a_cut_behind_a_flash_is_told():
    frames = scene(1, 10) + scene(2, 10)
    frames[5] = np.full(SIZE, 250.0) - 0.3 * frames[5]
    assert cuts(frames) == [10]


def test_cuts_soon_after_the_start_a_flash_or_each_other_are_told():
    flashing = scene(1, 4) + scene(2, 8)
    flashing[1] = np.full(SIZE, 250.0) - 0.3 * flashing[1]
    assert cuts(flashing) == [4]
    assert cuts(scene(1, 1) + scene(2, 2) + scene(3, 8)) == [1, 3]
    assert cuts(scene(1, 9) + scene(2, 2) + scene(3, 2) + scene(4, 8)) == [9, 11, 13]


def test_fades_and_dissolves_are_no_cuts():
    first, second, third = scene(1, 20), scene(2, 30), scene(3, 20)
    frames = first[:10] + mixed(first[10:], second[:10]) + second[10:20]
    frames += faded(second[20:], down=True) + faded(third[:10], down=False) + third[10:]
    assert cuts(frames) == []


def test_a_change_of_light_is_no_cut():
    frames = scene(1, 16)
    assert cuts(frames[:8] + [0.5 * frame + 60 for frame in frames[8:]]) == []


def test_a_cut_from_black_is_one():
    assert cuts([np.full(SIZE, 16.0)] * 6 + scene(1, 8)) == [6]


def test_noise_without_a_picture_does_not_cut_forever():
    random = np.random.default_rng(0)
    frames = [random.uniform(0, 255, SIZE) for _ in range(40)]
    assert len(cuts(frames)) <= USUAL_FRAMES // 2 + 1  # until great changes are the usual ones


@pytest.mark.parametrize("n_frames", range(4))
def test_the_shortest_videos_come_out_whole(n_frames):
    assert cuts(scene(1, n_frames)) == []


def test_a_cut_at_the_last_frame_is_told_though_nothing_follows():
    assert cuts(scene(1, 6) + scene(2, 1)) == [6]


def test_frames_wait_only_where_something_is_suspicious():
    frames = scene(1, 8) + scene(2, 8)
    seen: list[int] = []

    def watched():
        for number, frame in enumerate(frames):
            seen.append(number)
            yield number, thumbnail(frame.astype(np.uint8), 8)

    waited = [seen[-1] - number for number, _ in SceneCuts[int]().follow(watched())]
    assert waited == [0] * 8 + list(range(FLASH_FRAMES, 0, -1)) + [0] * (8 - FLASH_FRAMES)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 80), st.integers(1, 120))))
def test_a_picture_of_any_size_has_a_thumbnail_that_equals_itself(luma):
    thumb = thumbnail(luma, 8)
    assert thumb.shape == (ROWS, COLUMNS) and thumb.dtype == np.float32
    assert luma.min() <= thumb.min() and thumb.max() <= luma.max()
    assert change(thumb, thumb) < 1e-3


@given(st.integers(0, 99), st.integers(0, 99))
def test_a_change_lies_between_none_and_all_and_both_ways_alike(one, other):
    first, second = (thumbnail(scene(seed, 1)[0].astype(np.uint8), 8) for seed in (one, other))
    there, back = change(first, second), change(second, first)
    assert 0 <= there <= 1 and there == pytest.approx(back, abs=1e-5)  # float32 sums in another order
    assert there < LEAST_CHANGE or one != other


def test_deep_pictures_have_the_thumbnails_of_8_bit():
    frame = scene(1, 1)[0].astype(np.uint8)
    deep = (frame.astype("<u2") << 2)[..., None].view(np.uint8)
    np.testing.assert_array_equal(thumbnail(deep, 10), thumbnail(frame, 8))


def test_a_shift_is_found(monkeypatch):
    still, moved = (thumbnail(scene(1, 2, pan_px=10)[t].astype(np.uint8), 8) for t in (0, 1))
    found = change(still, moved)
    monkeypatch.setattr(scene_cuts, "_SHIFTS", [(0, 0)])
    assert found < 0.6 * change(still, moved)
