"""Measuring a case, and keeping what was measured."""

import numpy as np
import pytest

from cvqe.errors import InputError
from cvqe.metrics import ssim
from tests.training.evaluation.examples import HERE, clean_planes, darker, write_luma
from training.evaluation.cases import Case
from training.evaluation.enhanced_video import EnhancedVideo
from training.evaluation.measuring import MeasureOptions, measure
from training.evaluation.store import Store
from training.evaluation.subject import Decoded

PLANES = clean_planes(n_frames=4)


def db(levels: float) -> float:
    return float(20 * np.log10(255 / levels))


@pytest.fixture
def case(tmp_path) -> Case:
    pristine = write_luma(tmp_path / "clips" / "a.mkv", PLANES)
    coded = write_luma(tmp_path / "coded" / "ldp_qp37" / "a.mkv", darker(PLANES, [1, 2, 4, 8]))
    return Case("a", "ldp", 37, pristine, coded, "B")


@pytest.fixture
def better(tmp_path) -> EnhancedVideo:
    write_luma(tmp_path / "better" / "ldp_qp37" / "a.mkv", darker(PLANES, [0, 2, 2, 4]))
    return EnhancedVideo("better", tmp_path / "better")


def test_every_frame_is_measured_against_its_own_original(case, better):
    decoded = measure(case, Decoded(), MeasureOptions(), HERE)
    assert decoded.psnr_db == pytest.approx([db(1), db(2), db(4), db(8)])
    assert decoded.ssim[1] == pytest.approx(ssim(PLANES[1], PLANES[1] - 2))
    assert decoded.block is None
    seen = []
    enhanced = measure(case, better, MeasureOptions(), HERE, seen.append)
    assert enhanced.psnr_db == pytest.approx([100.0, db(2), db(2), db(4)])
    assert seen == [1, 2, 3, 4]
    assert (enhanced.block.frame, enhanced.ms, enhanced.ms_per_frame) == (3, [], None)
    assert (enhanced.case.gt_class, enhanced.case.width, enhanced.case.height) == ("B", 48, 40)


def test_first_frames_alone_may_be_measured(case, better):
    measured = measure(case, better, MeasureOptions(first_frames=2), HERE)
    assert measured.psnr_db == pytest.approx([100.0, db(2)])
    assert measured.case.first_frames == 2


@pytest.mark.parametrize(
    "which, n_frames",
    [("clips/a.mkv", 3), ("coded/ldp_qp37/a.mkv", 3), ("better/ldp_qp37/a.mkv", 3), ("better/ldp_qp37/a.mkv", 5)],
)
def test_clips_of_unequal_length_are_refused(case, better, tmp_path, which, n_frames):
    write_luma(tmp_path / which, clean_planes(n_frames))
    with pytest.raises(InputError, match=rf"ends after {min(n_frames, 4)} frames, .* has more"):
        measure(case, better, MeasureOptions(), HERE)


def test_an_original_of_another_size_is_refused(case, tmp_path):
    write_luma(tmp_path / "clips" / "a.mkv", clean_planes(4, 40, 50))
    with pytest.raises(InputError, match=r"coded/ldp_qp37/a\.mkv is 48x40 at 8 bit, .*clips/a\.mkv 50x40"):
        measure(case, Decoded(), MeasureOptions(), HERE)


def test_deep_clips_are_measured_in_their_own_levels(tmp_path):
    deep = [plane.astype(np.uint16) * 4 for plane in PLANES]
    pristine = write_luma(tmp_path / "a.mkv", deep, "gray10le")
    coded = write_luma(tmp_path / "b.mkv", [plane - 4 for plane in deep], "gray10le")
    measured = measure(Case("a", "file", None, pristine, coded), Decoded(), MeasureOptions(), HERE)
    assert measured.psnr_db == pytest.approx([20 * np.log10(1023 / 4)] * 4)


def test_what_was_kept_is_read_back_whole(case, better, tmp_path):
    store = Store(tmp_path / "out")
    measured = measure(case, better, MeasureOptions(), HERE)
    path = store.save(case, measured)
    assert path.relative_to(store.folder).as_posix() == "measured/ldp_qp37/a/better.json"
    kept = store.find(case, better, None, with_vmaf=False)
    assert kept.psnr_db == measured.psnr_db
    assert (kept.case, kept.subject, kept.provenance) == (measured.case, measured.subject, HERE)
    np.testing.assert_array_equal(kept.block.enhanced, measured.block.enhanced)
    assert [each.psnr_db for each in store.all()] == [measured.psnr_db]


def test_what_has_changed_is_not_found_any_more(case, better, tmp_path):
    store = Store(tmp_path / "out")
    store.save(case, measure(case, better, MeasureOptions(), HERE))
    assert store.find(case, better, 2, with_vmaf=False) is None
    assert store.find(case, better, None, with_vmaf=True) is None
    assert store.find(case, Decoded(), None, with_vmaf=False) is None
    write_luma(better.file(case), darker(PLANES, [0, 0, 0, 1]))
    assert store.find(case, better, None, with_vmaf=False) is None


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_damaged_measurement_is_named(case, tmp_path, content):
    store = Store(tmp_path / "out")
    path = store.path(case, "decoded", None)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(InputError, match=r"decoded\.json is no measurement of this version.*remove it"):
        store.find(case, Decoded(), None, with_vmaf=False)


def test_a_name_makes_a_file_name_and_two_lengths_make_two_files(case, tmp_path):
    store = Store(tmp_path)
    assert store.path(case, "a/b c=1", None).name == "a_b_c=1.json"
    assert store.path(case, "a", 8).name == "a.first8.json"
