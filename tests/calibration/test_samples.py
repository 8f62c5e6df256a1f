import numpy as np
import pytest

from calibration.samples import feeds, read_samples
from cvqe.errors import InputError
from cvqe.manifest import GUIDE, QP, WINDOW
from tests.calibration.coded_clips import N_CODING_LEVELS, write_clips
from tests.engines import network_manifest
from training.evaluation.cases import Case, find_cases


@pytest.fixture
def case(tmp_path) -> Case:
    return find_cases(*write_clips(tmp_path, ["a", "b"]), ["ldp"], [37], ["b"])[0]


def test_a_sample_is_a_window_of_the_coded_clip_beside_its_pristine_target(case):
    (sample,) = read_samples(case, [2], network_manifest(radius=1))
    assert (sample.clip, sample.configuration, sample.qp, sample.frame, sample.frame_qp) == ("b", "ldp", 37, 2, 37.0)
    assert sample.window.shape == (3, *sample.pristine.shape)
    difference = sample.decoded.astype(int) - sample.pristine
    assert difference.min() >= 0 and 0 < difference.max() < N_CODING_LEVELS


def test_the_neighbors_are_the_frames_beside_the_target_and_ends_are_repeated(case):
    manifest = network_manifest(radius=1)
    middle, first = (next(read_samples(case, [number], manifest)) for number in (3, 0))
    np.testing.assert_array_equal(first.window[0], first.window[1])
    # clip b drifts by a pixel a frame
    drifted = np.roll(middle.window[1], 1, axis=1).astype(int) - middle.window[2]
    assert np.abs(drifted).max() < N_CODING_LEVELS


def test_only_the_frames_asked_for_come_in_the_order_of_the_clip(case):
    assert [sample.frame for sample in read_samples(case, [4, 1], network_manifest(radius=1))] == [1, 4]


def test_a_frame_behind_the_end_is_said(case):
    with pytest.raises(InputError, match=r"b\.mkv ends before frame 9"):
        list(read_samples(case, [2, 9], network_manifest(radius=1)))


def test_a_session_is_fed_what_the_network_takes(case):
    told = network_manifest(radius=1, qp=(22, 32), takes_qp=True, takes_guide=True)
    (sample,) = read_samples(case, [2], told)
    fed = feeds(sample, told)
    assert fed[WINDOW].shape == (1, *sample.window.shape)
    assert fed[QP].tolist() == [32.0]  # the nearest that it was trained on
    assert fed[GUIDE].shape == (1, 1, *sample.pristine.shape)
    assert list(feeds(sample, network_manifest(radius=1))) == [WINDOW]
