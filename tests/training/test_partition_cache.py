import numpy as np
import pytest

from cvqe.errors import InputError
from training.partition_cache import PartitionCache


def test_units_are_read_once_and_kept(coded, tmp_path):
    cache, clip = PartitionCache(tmp_path / "cache"), coded / "ldp_qp37" / "a.mkv"
    transforms = cache.load(clip)
    assert transforms.shape == (6, 12, 16)
    assert set(np.unique(transforms)) <= {2, 3, 4, 5, 6}
    (kept,) = (tmp_path / "cache").iterdir()
    written = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(cache.load(clip), transforms)
    assert kept.stat().st_mtime_ns == written


def test_a_folder_that_can_not_be_written_is_named(coded, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.*can't be written"):
        PartitionCache(tmp_path / "file").load(coded / "ldp_qp37" / "a.mkv")


def test_a_clip_without_transform_units_is_named(clips, tmp_path):
    with pytest.raises(InputError, match=r"a\.mkv.*6 frames can't be read"):
        PartitionCache(tmp_path / "cache").load(clips / "a.mkv")
    assert list((tmp_path / "cache").iterdir()) == []
