import numpy as np
import pytest

from cvqe.errors import InputError
from cvqe.partition import Partition, ShownWindow
from runtime.hevc.database import load_partitions, save_partitions


def partition(number, size=(3, 5), errors=()):
    random = np.random.default_rng(number)
    maps = [random.integers(2, 6, size).astype(np.uint8) for _ in range(3)]
    qp = random.integers(-12, 52, size).astype(np.int8)
    return Partition(*maps, qp, ShownWindow(0, 2, 20, 10), "PP", number % 3, 7 * number, errors)


def test_partitions_come_back_as_they_went_in(tmp_path):
    before = [partition(number) for number in range(4)]
    save_partitions(before, tmp_path / "clip.npz")
    after = load_partitions(tmp_path / "clip.npz")
    for one, other in zip(before, after, strict=True):
        for name in ("transform", "coding", "mode", "qp"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
        assert (one.window, one.slice_types, one.temporal_id, one.order_count) == (
            other.window,
            other.slice_types,
            other.temporal_id,
            other.order_count,
        )
        assert other.is_whole
    assert [path.name for path in tmp_path.iterdir()] == ["clip.npz"]


def test_a_broken_picture_stays_broken(tmp_path):
    save_partitions([partition(0), partition(1, errors=("slice 1 is cut off",))], tmp_path / "clip.npz")
    assert [part.is_whole for part in load_partitions(tmp_path / "clip.npz")] == [True, False]


def test_numpy_alone_reads_it(tmp_path):
    save_partitions([partition(0), partition(1)], tmp_path / "clip.npz")
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as content:
        assert content["transform"].shape == (2, 3, 5)
        assert content["slice_types"].tolist() == ["PP", "PP"]


def test_partitions_of_two_sizes_or_none_are_refused(tmp_path):
    for partitions in ([], [partition(0), partition(0, size=(4, 5))]):
        with pytest.raises(InputError, match="one size"):
            save_partitions(partitions, tmp_path / "clip.npz")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "clip.npz"
    save_partitions([partition(0)], path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"clip\.npz"):
        load_partitions(path)
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(InputError, match=r"text\.npz"):
        load_partitions(tmp_path / "text.npz")
