"""Which clips are taken and which are left out."""

import json
import logging
from pathlib import Path

import pytest

from cvqe.errors import InputError, UsageError
from training.clip_list import find_clips

LICENCES = {
    "garden": "CC BY 4.0",
    "kitti_city": "repo states no licence; KITTI (CC BY-NC-SA 3.0 by general knowledge)",
    "tennis": "repo: cc-by-nc 4.0",
    "lab": "for non-commercial research",
    "nc_license": "BSD-3-Clause (code), synced from an NCSU mirror",
}


def make_folder(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def write_manifest(path: Path, prefix: str = "") -> None:
    entries = [{"file": f"{prefix}{name}.mkv", "licence": licence} for name, licence in LICENCES.items()]
    path.write_text(json.dumps({"clips": entries}))


@pytest.fixture
def clips(tmp_path) -> Path:
    return make_folder(tmp_path / "train", *(f"{name}.mkv" for name in LICENCES))


def stems(clips: list[Path]) -> list[str]:
    return [clip.stem for clip in clips]


def test_clips_are_found_by_their_endings_in_order(tmp_path):
    names = ["d.mkv", "c.MP4", "b.y4m", "a.mov", "f.avi", "e.webm"]
    folder = make_folder(tmp_path / "clips", *names, "notes.txt", ".hidden.mkv", "index.csv")
    make_folder(folder / "sub.mkv", "deeper.mkv")
    assert stems(find_clips(folder)) == list("abcdef")


def test_clips_are_left_out_by_pattern_and_said(clips, caplog):
    with caplog.at_level(logging.INFO, "training"):
        assert stems(find_clips(clips, exclude=["kitti_*", "lab"])) == ["garden", "nc_license", "tennis"]
    assert caplog.messages == ["left out: kitti_city, lab"]


@pytest.mark.parametrize("beside", [True, False])
def test_noncommercial_clips_are_left_out_by_their_licence(clips, beside):
    write_manifest((clips if beside else clips.parent) / "MANIFEST.json", "" if beside else "train/")
    assert stems(find_clips(clips, exclude_noncommercial=True)) == ["garden", "nc_license"]
    assert len(find_clips(clips)) == 5


def test_a_clip_of_unknown_licence_is_not_taken_for_free(clips):
    write_manifest(clips / "MANIFEST.json")
    make_folder(clips, "new.mkv")
    with pytest.raises(InputError, match=r"new\.mkv is not in MANIFEST\.json.*--exclude new"):
        find_clips(clips, exclude_noncommercial=True)
    assert stems(find_clips(clips, ["new"], exclude_noncommercial=True)) == ["garden", "nc_license"]


def test_licences_that_are_not_known_are_not_guessed(clips):
    with pytest.raises(InputError, match=r"no MANIFEST\.json"):
        find_clips(clips, exclude_noncommercial=True)


@pytest.mark.parametrize("content", ["{", "[]", '{"clips": [{"file": "a.mkv"}]}', '{"clips": 3}', "\xff"])
def test_a_manifest_of_another_form_is_refused(clips, content):
    (clips / "MANIFEST.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"MANIFEST\.json can't be used.*licence"):
        find_clips(clips, exclude_noncommercial=True)


def test_a_pattern_that_matches_nothing_is_a_mistake(clips):
    with pytest.raises(UsageError, match="--exclude kiti_"):
        find_clips(clips, exclude=["kiti_*"])


def test_folders_without_clips_are_refused(tmp_path, clips):
    for folder, words in [(tmp_path, "no clip"), (tmp_path / "none", "no folder"), (clips / "lab.mkv", "no folder")]:
        with pytest.raises(InputError, match=words):
            find_clips(folder)
    with pytest.raises(InputError, match="left out"):
        find_clips(clips, exclude=["*"])


def test_two_clips_of_one_name_are_refused(clips):
    make_folder(clips, "lab.mp4")
    with pytest.raises(InputError, match=r"lab\.mkv and lab\.mp4 would both be coded to lab\.mkv"):
        find_clips(clips)
