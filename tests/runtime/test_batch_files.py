"""Which files a batch takes, in which order, and where their outputs go."""

from pathlib import Path

import pytest

from cvqe.errors import InputError, UsageError
from runtime.batch_files import Job, find_jobs


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in (
        "b.mp4",
        "a.MKV",
        "sub/c.webm",
        "sub/d.ts",
        "b.enhanced.mp4",
        "e.partial.mkv",
        ".hidden.mp4",
        "note.txt",
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def test_a_folder_gives_its_videos_and_none_of_our_own(folder):
    out = Path("out")
    assert find_jobs([str(folder)], None, out) == [
        Job(folder / "a.MKV", out / "a.MKV"),
        Job(folder / "b.mp4", out / "b.mp4"),
        Job(folder / "sub/c.webm", out / "sub/c.mkv"),  # nothing that we write fits in WebM
        Job(folder / "sub/d.ts", out / "sub/d.ts"),
    ]


def test_without_a_folder_outputs_stand_beside_their_inputs(folder):
    (job,) = find_jobs([str(folder / "b.mp4")], None, None)
    assert job.output == folder / "b.enhanced.mp4"


def test_patterns_files_and_lists_come_in_the_order_given_and_once(folder, monkeypatch):
    (folder / "list.txt").write_text("# the best ones\nsub/d.ts\n\nb.mp4\nEp #1.mp4\n")
    (folder / "[b].mp4").touch()
    (folder / "Ep #1.mp4").touch()
    given = [str(folder / "b.*"), str(folder / "[b].mp4"), str(folder / "**" / "*.webm"), str(folder / "b.mp4")]
    names = [job.source.name for job in find_jobs(given, folder / "list.txt", None)]
    assert names == ["b.mp4", "[b].mp4", "c.webm", "d.ts", "Ep #1.mp4"]
    monkeypatch.chdir(folder)
    assert [job.source for job in find_jobs(["*.MKV"], None, None)] == [Path("a.MKV")]


@pytest.mark.parametrize("given, words", [("nothing*.mp4", "no such file"), ("none.mp4", "no such file")])
def test_what_names_nothing_is_an_error(folder, given, words):
    with pytest.raises(InputError, match=words):
        find_jobs([str(folder / given)], None, None)


def test_a_folder_without_videos_and_a_list_that_is_none_are_errors(tmp_path):
    with pytest.raises(InputError, match="holds no video"):
        find_jobs([str(tmp_path)], None, None)
    with pytest.raises(InputError, match="can't be read as a list"):
        find_jobs([], tmp_path / "none.txt", None)
    with pytest.raises(UsageError, match="no input is named"):
        find_jobs([], None, None)


def test_two_inputs_that_would_become_one_file_are_refused(folder):
    (folder / "sub" / "b.mp4").touch()
    both = [str(folder / "b.mp4"), str(folder / "sub" / "b.mp4")]
    with pytest.raises(UsageError, match="would both become"):
        find_jobs(both, None, Path("out"))
    assert len(find_jobs(both, None, None)) == 2


def test_outputs_below_the_inputs_are_no_inputs_of_the_next_run(folder):
    first = find_jobs([str(folder)], None, folder / "out")
    for job in first:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        job.output.touch()
    assert find_jobs([str(folder)], None, folder / "out") == first


def test_an_input_is_never_an_output(folder):
    with pytest.raises(UsageError, match="is one of the inputs"):
        find_jobs([str(folder)], None, folder)
