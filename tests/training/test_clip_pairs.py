import shutil

import numpy as np
import pytest

from cvqe.errors import InputError
from tests.media import make_video
from training.clip_pairs import Loaders, load_pairs, load_validation
from training.luma_clips import load_luma
from training.recipe import DataRecipe

BOTH = DataRecipe(qp=(22, 37))
LOADERS = Loaders(load_luma)


def test_every_clip_comes_with_every_version(clips, coded):
    pairs = load_pairs(clips, coded, BOTH, LOADERS)
    assert [(pair.name, pair.qp) for pair in pairs] == [("a", 22), ("a", 37), ("b", 22), ("b", 37)]
    assert all(pair.pristine.shape == pair.decoded.shape == (6, 48, 64) for pair in pairs)


def test_clips_held_back_or_excluded_are_not_learned_from(clips, coded):
    data = DataRecipe(qp=(37,), validation=("a*",))
    assert [pair.name for pair in load_pairs(clips, coded, data, LOADERS)] == ["b"]
    assert [pair.name for pair in load_validation(clips, coded, data, LOADERS)] == ["a"]
    assert load_validation(clips, coded, BOTH, LOADERS) == []
    assert load_validation(clips, coded, DataRecipe(qp=(37,), validation=("z*",)), LOADERS) == []
    with pytest.raises(InputError, match="clip that the recipe asks for"):
        load_pairs(clips, coded, DataRecipe(qp=(37,), exclude=("*",)), LOADERS)


def test_a_frames_error_is_its_own(clips, coded):
    pair = load_pairs(clips, coded, BOTH, LOADERS)[1]
    error = (pair.pristine[3].astype(float) - pair.decoded[3]) ** 2
    assert pair.frame_mse[3] == pytest.approx(max(error.mean(), 3.0), rel=1e-5)
    assert pair.frame_mse.dtype == np.float32


def test_a_missing_version_is_named_with_the_command_that_makes_it(clips, coded):
    with pytest.raises(InputError, match=r"ldp_qp32.a\.mkv is missing. Make it:  python training/compress\.py"):
        load_pairs(clips, coded, DataRecipe(qp=(32,)), LOADERS)


@pytest.mark.parametrize("change", [{"frames": 5}, {"size": (32, 48)}])
def test_a_version_of_another_length_or_size_is_named(clips, coded, tmp_path, change):
    shutil.copytree(coded, tmp_path / "coded")
    wrong = tmp_path / "coded" / "ldp_qp37" / "b.mkv"
    wrong.unlink()
    make_video(wrong, **{"frames": 6, "size": (64, 48), **change}, codec="ffv1")
    with pytest.raises(InputError, match=r"b\.mkv is \(\d, 48, \d\d\) \(T, H, W\), the pristine clip \(6, 48, 64\)"):
        load_pairs(clips, tmp_path / "coded", BOTH, LOADERS)


def test_a_clip_without_a_frame_is_named(clips, coded, tmp_path):
    shutil.copytree(coded, tmp_path / "coded")
    (tmp_path / "coded" / "ldp_qp37" / "b.mkv").write_bytes(b"not a video")
    with pytest.raises(InputError, match=r"b\.mkv"):
        load_pairs(clips, tmp_path / "coded", BOTH, LOADERS)
