"""VMAF through vmaf-torch, frame by frame."""

import sys

import numpy as np
import pytest

from cvqe.errors import BackendError, InputError
from training.evaluation.vmaf_scores import VmafScores, calmer_side, refuse_missing_vmaf

# a score of whole clips sums its blurs in another order: 3e-4 was seen
STREAMING_ATOL = 2e-3


@pytest.fixture
def library():
    return pytest.importorskip("vmaf_torch")


def clip(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.integers(40, 200, (4, 9, 11)).astype(np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)


def test_the_calmer_side_of_a_frame_counts():
    assert calmer_side([0.0, 3.0, 1.0, 2.0]) == [0.0, 1.0, 1.0, 2.0]
    assert calmer_side([5.0]) == [0.0]
    assert calmer_side([]) == []


def test_a_missing_library_is_said_before_anything_is_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "vmaf_torch", None)
    with pytest.raises(BackendError, match=r"vmaf_torch is not installed.*\n.*pip install"):
        refuse_missing_vmaf()


def test_scores_are_those_of_the_whole_clip(library):
    import torch

    pristine = clip()
    shown = np.clip(pristine.astype(int) + np.random.default_rng(1).integers(-9, 10, pristine.shape), 0, 255)
    scores = VmafScores()
    for reference, distorted in zip(pristine, shown.astype(np.uint8), strict=True):
        scores.see(reference, distorted, 255.0)
    for is_neg, found in zip((False, True), scores.scores(), strict=True):
        whole = library.VMAF(NEG=is_neg, clip_score=True)
        expected = whole(*(torch.from_numpy(part.astype(np.float32))[:, None] for part in (pristine, shown)))
        np.testing.assert_allclose(found, expected.ravel(), atol=STREAMING_ATOL)


def test_a_frame_without_four_scales_is_refused(library):
    with pytest.raises(InputError, match="32x32 at least"):
        VmafScores().see(np.zeros((31, 64), np.uint8), np.zeros((31, 64), np.uint8), 255.0)
