import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cvqe.errors import InputError
from cvqe.partition import Partition, ShownWindow
from runtime.hevc.database import Contents, load_contents, load_partitions, load_transforms, save_partitions


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


def test_a_file_says_what_it_was_asked_for_and_what_it_lacks(tmp_path):
    partitions = [partition(0), partition(1, errors=("cut off",)), partition(2)]
    said = save_partitions(iter(partitions), tmp_path / "a.npz", 5, lambda: "the file ends early")
    assert said == load_contents(tmp_path / "a.npz") == Contents(3, 2, 5, "the file ends early")
    save_partitions(partitions, tmp_path / "b.npz")
    assert load_contents(tmp_path / "b.npz") == Contents(3, 2)


@pytest.mark.parametrize(
    "n_pictures, asked, limit, suffices",
    [
        (9, None, None, True),
        (9, None, 3, True),
        (2, 2, None, False),
        (2, 2, 3, False),
        (2, 2, 2, True),
        (2, 2, 1, True),
        (2, 3, None, True),  # the video has no more
    ],
)
def test_a_file_suffices_where_reading_again_would_bring_no_more(n_pictures, asked, limit, suffices):
    assert Contents(n_pictures, 0, asked).suffices(limit) is suffices


def test_a_file_of_before_it_said_so_is_read_and_says_nothing(tmp_path):
    save_partitions([partition(0)], tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as content:
        old = {name: content[name] for name in content.files if name not in ("frames_asked", "note")}
    np.savez_compressed(tmp_path / "old.npz", **old)
    assert load_contents(tmp_path / "old.npz") is None
    assert len(load_partitions(tmp_path / "old.npz")) == 1


def test_transforms_alone_come_back_as_they_went_in(tmp_path):
    before = [partition(number) for number in range(3)]
    save_partitions(before, tmp_path / "clip.npz")
    np.testing.assert_array_equal(load_transforms(tmp_path / "clip.npz"), [part.transform for part in before])


def test_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "clip.npz"
    (tmp_path / "clip.tmp").write_text("mine")
    videos = [[partition(number)] * 3 for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            list(pool.map(lambda video: save_partitions(video, path), videos))
            assert len(load_partitions(path)) == 3
    assert {each.name for each in tmp_path.iterdir()} == {"clip.npz", "clip.tmp"}


def test_memory_does_not_grow_with_the_video(tmp_path):
    one = partition(0, (270, 480))  # 1920x1080
    peaks = []
    for n_pictures in (2, 12):
        tracemalloc.start()
        save_partitions((partition(0, (270, 480)) for _ in range(n_pictures)), tmp_path / "clip.npz")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + one.transform.nbytes
    assert len(load_transforms(tmp_path / "clip.npz")) == 12


def test_a_video_that_fails_on_the_way_leaves_nothing(tmp_path):
    def failing():
        yield partition(0)
        raise InputError("broken")

    with pytest.raises(InputError, match="broken"):
        save_partitions(failing(), tmp_path / "clip.npz")
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
