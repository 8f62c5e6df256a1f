from collections import Counter

import pytest

from calibration.frame_choice import ShortageError, candidates, choose_frames, read_choices
from cvqe.errors import CvqeError
from tests.calibration.coded_clips import write_clips
from tests.engines import network_manifest
from training.evaluation.cases import Case, find_cases

NAMES, QPS, N_FRAMES = ["a", "b", "c", "d"], (22, 37), 6
N_THERE = len(NAMES) * len(QPS) * (N_FRAMES - 2)  # without the first frame, which has no motion, and the margin's last


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    return find_cases(*write_clips(tmp_path_factory.mktemp("media"), NAMES, QPS, N_FRAMES), ["ldp"], QPS)


def test_exactly_as_many_as_asked_for_are_drawn_and_none_twice(cases):
    for n_frames in (1, 7, N_THERE):
        assert len(set(choose_frames(cases, n_frames, seed=0, margin=1))) == n_frames


def test_a_shortage_is_an_error_that_says_how_many_there_are(cases):
    with pytest.raises(
        ShortageError, match=f"{N_THERE + 1} frames were asked for, .* hold {N_THERE} .*--frames {N_THERE}"
    ):
        choose_frames(cases, N_THERE + 1, seed=0, margin=1)
    assert issubclass(ShortageError, CvqeError)


def test_one_seed_draws_the_same_frames_and_another_one_others(cases):
    first, again, other = (choose_frames(cases, 8, seed) for seed in (0, 0, 1))
    assert first == again
    assert set(first) != set(other)


def test_every_qp_and_clip_gets_its_share(cases):
    drawn = choose_frames(cases, 16, seed=0)
    assert Counter(choice.case.qp for choice in drawn) == {22: 8, 37: 8}
    assert set(Counter(choice.case.clip for choice in drawn)) == set(NAMES)


def test_motion_is_measured(cases):
    still, moving = (candidates(case, margin=0) for case in cases if case.qp == 37 and case.clip in "ad")
    assert all(each.motion == 0 for each in still)
    assert all(each.motion > 0 for each in moving)
    assert all(60 < each.brightness < 190 for each in [*still, *moving])


def test_as_many_windows_are_read_as_were_drawn(cases):
    drawn = choose_frames(cases, 5, seed=0)
    samples = list(read_choices(drawn, network_manifest(radius=1)))
    found = Counter((sample.clip, sample.qp, sample.frame) for sample in samples)
    assert found == Counter((choice.case.clip, choice.case.qp, choice.frame) for choice in drawn)
