from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqe.errors import InputError
from tests.training.evaluation.test_sliding_window import gray_frames
from training.clip_pairs import ClipPair
from training.evaluation.sliding_window import sliding_windows
from training.guides import Guides
from training.patches import PatchSource, window_frames
from training.recipe import DataRecipe


def data(patch_px, **others):
    """What a recipe asks for."""
    return DataRecipe(patch_px=patch_px, **others)


def pair(name="a", qp=37, n_frames=5, size=(24, 40)):
    """A clip whose pixel tells frame, row and column; coding adds one."""
    t, y, x = np.mgrid[:n_frames, : size[0], : size[1]]
    pristine = (t * 50 + y % 5 * 10 + x % 10).astype(np.uint8)
    return ClipPair(name, qp, pristine, pristine + 1)


def guided_pair(size=(32, 32)):
    """A clip of 4x4 blocks of one level each, coded in transforms of 4x4."""
    random = np.random.default_rng(0)
    decoded = np.kron(random.integers(0, 256, (5, size[0] // 4, size[1] // 4)), np.ones((1, 4, 4))).astype(np.uint8)
    return ClipPair("blocks", 37, decoded, decoded, np.full((5, size[0] // 4, size[1] // 4), 2, np.uint8))


def test_the_same_step_draws_the_same_batch_whatever_came_before():
    one, other = (PatchSource([pair()], 3, data(16), seed=1) for _ in range(2))
    one.batch(0, 0, 4)
    np.testing.assert_array_equal(one.batch(7, 0, 4).window, other.batch(7, 0, 4).window)
    assert not np.array_equal(one.batch(7, 0, 4).window, one.batch(8, 0, 4).window)
    assert not np.array_equal(one.batch(7, 0, 4).window, one.batch(7, 1, 4).window)


def test_decoded_and_pristine_show_the_same_place_the_same_way_up():
    batch = PatchSource([pair()], 3, data(16), seed=0).batch(0, 0, 64)
    assert batch.window.shape == batch.pristine.shape == (64, 7, 16, 16)
    np.testing.assert_array_equal(batch.window, batch.pristine + 1)


def test_all_eight_orientations_are_drawn():
    batch = PatchSource([pair(size=(16, 16), n_frames=1)], 0, data(16), seed=0).batch(0, 0, 200)
    assert len({patch.tobytes() for patch in batch.pristine}) == 8


@given(t=st.integers(0, 4), radius=st.integers(0, 9))
def test_a_window_stands_still_beyond_the_clips_ends(t, radius):
    frames = window_frames(t, radius, 5)
    assert len(frames) == 2 * radius + 1
    assert frames[radius] == t
    np.testing.assert_array_equal(frames, [min(max(k, 0), 4) for k in range(t - radius, t + radius + 1)])


def test_low_delay_windows_of_every_fourth_frame_reach_twice_as_far():
    numbers = np.broadcast_to(np.arange(12, dtype=np.uint8)[:, None, None], (12, 16, 16))
    source = PatchSource([ClipPair("numbers", 37, numbers, numbers)], 1, data(16, neighbors="low-delay"), seed=0)
    windows = {tuple(int(number) for number in window[:, 0, 0]) for window in source.batch(0, 0, 200).window}
    assert windows == {
        tuple(np.clip([t - step, t, t + step], 0, 11).tolist()) for t in range(12) for step in [2 if t % 4 == 2 else 1]
    }


def test_a_guided_map_is_cut_and_turned_with_its_frame():
    clip = guided_pair()
    batch = PatchSource([clip], 1, data(16), seed=0, guides=Guides()).batch(0, 0, 32)
    assert batch.guide.shape == (32, 1, 16, 16)
    assert batch.guide.dtype == np.float32
    # units of 4x4, each of one level: the map is the target itself
    np.testing.assert_array_equal(batch.guide[:, 0], batch.window[:, 1])


def test_now_and_then_the_guide_is_the_fixed_grid():
    clip = guided_pair()
    guides = PatchSource([clip], 0, data(16), seed=0, guides=Guides(fixed_grid_share=0.5)).batch(0, 0, 200)
    is_exact = [np.array_equal(guide[0], window[0]) for guide, window in zip(guides.guide, guides.window, strict=True)]
    assert 0.35 < np.mean(is_exact) < 0.65


def test_with_and_without_a_guide_the_windows_are_the_same():
    clip = guided_pair()
    guided, unguided = (
        PatchSource([clip], 1, data(16), seed=0, guides=guides).batch(0, 0, 16)
        for guides in (Guides(fixed_grid_share=0.5), None)
    )
    np.testing.assert_array_equal(guided.window, unguided.window)


def test_a_qps_weight_rules_how_often_it_is_drawn():
    batch = PatchSource([pair(qp=22), pair(qp=37)], 0, data(8, weight_of_qp={"37": 3.0}), seed=0).batch(0, 0, 2000)
    assert 0.70 < np.mean(batch.qp == 37) < 0.80


def test_each_patch_brings_its_frames_error():
    clip = pair()
    clip.decoded[2] += 9  # ten levels off
    batch = PatchSource([clip], 0, data(8), seed=0).batch(0, 0, 100)
    assert set(batch.frame_mse.tolist()) == {3.0, 100.0}  # one level off is raised to the floor


def test_a_clip_smaller_than_a_patch_is_named():
    with pytest.raises(InputError, match=r"tiny is 40x24, smaller than a patch of 32"):
        PatchSource([pair("tiny")], 3, data(32), seed=0)


QPS = np.array([37, 40, 39, 40, 38, 40, 39, 40], np.float32)  # HM's low-delay pattern


def numbered(n_frames, qps=None):
    """A clip of which every frame shows its number."""
    numbers = np.broadcast_to(np.arange(n_frames, dtype=np.uint8)[:, None, None], (n_frames, 16, 16))
    return ClipPair("numbers", 37, numbers, numbers, qps=qps)


def shown(batch):
    """Return the frame numbers of each window."""
    return {tuple(int(number) for number in window[:, 0, 0]) for window in batch.window}


def test_peak_quality_windows_are_those_of_the_runtime():
    frames = (replace(frame, qp=float(qp)) for frame, qp in zip(gray_frames(8), QPS, strict=True))
    windows = sliding_windows(frames, 1, "peak-quality")
    expected = {tuple(window.frames[:, 0, 0].tolist()) for window in windows}
    source = PatchSource([numbered(8, QPS)], 1, data(16, neighbors="peak-quality"), seed=0)
    assert shown(source.batch(0, 0, 200)) == expected
    assert (4, 5, 6) in expected
    assert (2, 4, 6) in expected


def test_where_no_quantiser_is_known_peak_quality_windows_are_adjacent():
    source = PatchSource([numbered(8, np.full(8, np.nan, np.float32))], 1, data(16, neighbors="peak-quality"), seed=0)
    assert (3, 4, 5) in shown(source.batch(0, 0, 200))
    assert all(max(window) - min(window) <= 2 for window in shown(source.batch(0, 0, 200)))


def test_a_window_with_four_targets_goes_on_for_three_more_frames():
    source = PatchSource([numbered(12)], 3, data(16, consecutive=4), seed=0)
    batch = source.batch(0, 0, 400)
    assert batch.window.shape == (100, 10, 16, 16)
    assert batch.frame_mse.shape == (400,)
    assert shown(batch) == {tuple(np.clip(np.arange(t - 3, t + 7), 0, 11).tolist()) for t in range(9)}


def test_a_clip_shorter_than_the_targets_stands_still_at_its_end():
    source = PatchSource([numbered(2)], 0, data(16, consecutive=4), seed=0)
    assert shown(source.batch(0, 0, 8)) == {(0, 1, 1, 1)}
