import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cvqe.errors import CvqeError, ExitCode, InputError, UsageError
from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.hevc.database import load_partitions, save_partitions
from runtime.partition_database import FAILED, KEPT, WRITTEN, exit_code, jobs_of, with_places_kept, write_database
from tests.media import corrupt_packet
from tests.runtime.partition_cases import ALL_INTRA, CROPPED, WITH_B, hevc_file, made_partition

pytest.importorskip("numba")
ROOT = Path(__file__).resolve().parents[2]
SMALL = (64, 64)


def test_every_frame_comes_back_in_the_order_of_showing(tmp_path):
    clip = hevc_file(tmp_path / "clip.v1.hevc", WITH_B, 6, CROPPED)
    (entry,) = write_database(jobs_of([clip], tmp_path / "out"))
    assert (entry.action, entry.n_pictures, entry.n_whole) == (WRITTEN, 6, 6)
    with open_source(clip, with_partitions=True) as source:
        expected = [item.partition for item in source.items() if isinstance(item, Frame)]
    found = load_partitions(tmp_path / "out" / "clip.v1.npz")
    assert len(found) == 6
    for ours, theirs in zip(found, expected, strict=True):
        for name in ("transform", "coding", "mode", "qp"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert (ours.window, ours.slice_types) == (theirs.window, theirs.slice_types)
    assert [part.order_count for part in found] == sorted(part.order_count for part in found)
    assert "B" in {part.slice_types for part in found}


def test_numpy_alone_reads_it(tmp_path):
    clip = hevc_file(tmp_path / "clip.mp4", ALL_INTRA, 2, CROPPED)
    write_database(jobs_of([clip], tmp_path))
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as data:
        assert data["transform"].shape == (2, 88 // 4, 152 // 4)
        assert data["window"].tolist() == [0, 0, *CROPPED]
        assert data["slice_types"].tolist() == ["I", "I"]
        assert data["qp"].dtype == np.int8 and (data["qp"] == 37).all()
        assert data["is_whole"].all()


def test_a_frame_without_partition_keeps_its_place(tmp_path):
    clip = hevc_file(tmp_path / "clip.mp4", ALL_INTRA, 5, SMALL)
    corrupt_packet(clip, 2)
    with open_source(clip, with_partitions=True) as source:
        frames = [item for item in source.items() if isinstance(item, Frame)]
    broken = [frame.number for frame in frames if frame.partition is None or not frame.partition.is_whole]
    write_database(jobs_of([clip], tmp_path))
    found = load_partitions(tmp_path / "clip.npz")
    assert [number for number, partition in enumerate(found) if not partition.is_whole] == broken
    assert len(found) == len(frames)


def test_places_are_kept_also_before_the_first_partition():
    found = list(with_places_kept([None, None, made_partition(), None], Path("clip.mp4")))
    assert [partition.is_whole for partition in found] == [False, False, True, False]
    assert {partition.transform.shape for partition in found} == {(4, 8)}
    assert [bool(partition.transform.any()) for partition in found] == [False, False, True, False]
    with pytest.raises(InputError, match=r"clip\.mp4: not one of its 2 pictures"):
        list(with_places_kept([None, None], Path("clip.mp4")))


def test_a_file_that_was_cut_short_is_read_again_in_full(tmp_path):
    jobs = jobs_of([hevc_file(tmp_path / "clip.mkv", ALL_INTRA, 3, SMALL)], tmp_path)
    told = [
        (entry.action, entry.n_pictures)
        for limit in (2, 2, 1, None, None, 2)
        for entry in write_database(jobs, limit=limit)
    ]
    assert told == [(WRITTEN, 2), (KEPT, 2), (KEPT, 2), (WRITTEN, 3), (KEPT, 3), (KEPT, 3)]


def test_what_is_missing_in_a_kept_file_is_said_again(tmp_path):
    clip = hevc_file(tmp_path / "clip.mp4", ALL_INTRA, 5, SMALL)
    corrupt_packet(clip, 2)
    first, again = (write_database(jobs_of([clip], tmp_path)) for _ in range(2))
    assert (first[0].action, again[0].action) == (WRITTEN, KEPT)
    assert replace(again[0], action=WRITTEN) == first[0]
    assert exit_code(first) == exit_code(again) == ExitCode.PARTIAL


def test_a_file_of_something_else_is_replaced_only_when_told(tmp_path):
    jobs = jobs_of([hevc_file(tmp_path / "clip.mkv", ALL_INTRA, 1, SMALL)], tmp_path)
    (tmp_path / "clip.npz").write_text("mine")
    (entry,) = write_database(jobs)
    assert (entry.action, "--overwrite" in entry.reason) == (FAILED, True)
    assert (tmp_path / "clip.npz").read_text() == "mine"
    assert [entry.action for entry in write_database(jobs, overwrite=True)] == [WRITTEN]


def test_a_folder_that_can_not_be_written_ends_it(tmp_path):
    clip = hevc_file(tmp_path / "clip.mkv", ALL_INTRA, 1, SMALL)
    (tmp_path / "file").write_text("")
    with pytest.raises(CvqeError, match=r"can't be written .*--database"):
        write_database(jobs_of([clip], tmp_path / "file"))


def test_folders_are_searched_and_their_own_folders_kept(tmp_path):
    clips = tmp_path / "clips"
    (clips / "qp37").mkdir(parents=True)
    hevc_file(clips / "a.mkv", ALL_INTRA, 1, SMALL)
    hevc_file(clips / "qp37" / "a.mkv", ALL_INTRA, 1, SMALL)
    (clips / "notes.txt").write_text("no video")
    entries = write_database(jobs_of([clips], tmp_path / "out"))
    assert [entry.action for entry in entries] == [WRITTEN, WRITTEN]
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.npz")) == [
        "a.npz",
        "qp37/a.npz",
    ]


def test_what_is_newer_than_its_clip_is_kept_unless_told_otherwise(tmp_path):
    clip = hevc_file(tmp_path / "clip.mkv", ALL_INTRA, 1, SMALL)
    jobs = jobs_of([clip], tmp_path)
    write_database(jobs)
    assert [entry.action for entry in write_database(jobs)] == [KEPT]
    assert [entry.action for entry in write_database(jobs, overwrite=True)] == [WRITTEN]
    later = (tmp_path / "clip.npz").stat().st_mtime + 10
    os.utime(clip, (later, later))
    assert [entry.action for entry in write_database(jobs)] == [WRITTEN]


def test_a_clip_that_is_not_hevc_leaves_the_others_alone(tmp_path):
    good = hevc_file(tmp_path / "good.mkv", ALL_INTRA, 1, SMALL)
    other = hevc_file(tmp_path / "other.mkv", "", 1, SMALL, codec="libx264")
    told = []
    entries = write_database(jobs_of([other, good, tmp_path / "gone.mkv"], tmp_path), on_entry=told.append)
    assert told == entries
    assert [entry.action for entry in entries] == [FAILED, WRITTEN, FAILED]
    assert "coded as h264" in str(entries[0])
    assert "no such file" in str(entries[2])
    assert exit_code(entries) == ExitCode.PARTIAL
    assert exit_code(entries[:1]) == ExitCode.UNREADABLE_INPUT
    assert exit_code(entries[1:2]) == ExitCode.DONE
    assert not (tmp_path / "other.npz").exists()


def test_two_clips_never_go_into_one_file(tmp_path):
    with pytest.raises(UsageError, match="would both go into"):
        jobs_of([tmp_path / "a.mkv", tmp_path / "a.mp4"], tmp_path / "out")


def test_a_folder_without_videos_is_said(tmp_path):
    with pytest.raises(InputError, match="holds no video"):
        jobs_of([tmp_path], tmp_path / "out")


def test_the_example_of_the_documents_reads_it(tmp_path):
    save_partitions([made_partition()], tmp_path / "clip.npz")
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "partition.md").read_text(), re.DOTALL)
    run = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    # by hand: 64 of 420 shown samples; four units of 4x4, three of 8x8 beside them and below, one of 16x16
    assert run.stdout.splitlines() == [
        f"share of 4x4 transforms: {64 / 420}",
        "transform units: 8 in a whole picture: True",
    ]
