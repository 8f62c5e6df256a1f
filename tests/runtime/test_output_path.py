from pathlib import Path

import pytest

from cvqe.errors import CvqeError, ExitCode, UsageError
from runtime.output_path import check_output, container_format, default_output, partial_path


@pytest.mark.parametrize(
    "source, output",
    [
        ("clips/in.mp4", "clips/in.enhanced.mp4"),
        ("in.MKV", "in.enhanced.MKV"),
        ("in.m4v", "in.enhanced.m4v"),
        ("a b.v1.mov", "a b.v1.enhanced.mov"),
        ("in.ts", "in.enhanced.ts"),
        ("in.webm", "in.enhanced.mkv"),
        ("in.avi", "in.enhanced.mkv"),
        ("in.hevc", "in.enhanced.mkv"),
        ("in", "in.enhanced.mkv"),
    ],
)
def test_the_output_is_named_after_the_source(source, output):
    assert default_output(Path(source)) == Path(output)
    container_format(Path(output))


def test_the_unfinished_file_has_a_name_of_its_own():
    assert partial_path(Path("x/better.mp4")) == Path("x/better.partial.mp4")


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"video")
    return tmp_path / "in.mp4"


def refusal(source, output, overwrite=False) -> tuple[str, int]:
    with pytest.raises(CvqeError) as caught:
        check_output(source, output, overwrite)
    return str(caught.value), caught.value.exit_code


def test_a_free_name_in_a_folder_is_fine(source, tmp_path):
    check_output(source, tmp_path / "out.mp4")
    check_output(source, tmp_path / "mit Leerzeichen ü.mkv")


def test_the_input_is_never_written_over(source, tmp_path):
    (tmp_path / "link.mp4").symlink_to(source)
    for output in (source, tmp_path / "link.mp4", tmp_path / "." / "in.mp4"):
        message, code = refusal(source, output, overwrite=True)
        assert "is the input itself" in message
        assert code == ExitCode.USAGE


def test_an_existing_file_is_replaced_only_when_told(source, tmp_path):
    (tmp_path / "out.mp4").touch()
    assert "--overwrite" in refusal(source, tmp_path / "out.mp4")[0]
    check_output(source, tmp_path / "out.mp4", overwrite=True)


def test_a_missing_folder_is_named_with_its_remedy(source, tmp_path):
    message, code = refusal(source, tmp_path / "no" / "out.mp4")
    assert f"mkdir -p '{tmp_path}/no'" in message
    assert code == ExitCode.ERROR


def test_a_folder_that_takes_no_files_is_refused(source):
    message, _ = refusal(source, Path("/proc/self/task/out.mp4"))
    assert "can't be written to" in message


def test_a_folder_is_no_output(source, tmp_path):
    (tmp_path / "out.mp4").mkdir()
    assert "is a folder" in refusal(source, tmp_path / "out.mp4")[0]


@pytest.mark.parametrize("name", ["out.avi", "out", "out.mp3"])
def test_unknown_endings_are_refused(source, tmp_path, name):
    with pytest.raises(UsageError, match=r"expected one of \.mp4") as caught:
        check_output(source, tmp_path / name)
    assert "-o out.mkv" in str(caught.value)


def test_a_name_without_room_for_what_is_added_to_it_is_refused(source, tmp_path):
    check_output(source, tmp_path / ("x" * 238 + ".mp4"))
    with pytest.raises(UsageError, match="too long by 1 bytes"):
        check_output(source, tmp_path / ("x" * 239 + ".mp4"))
    with pytest.raises(UsageError, match="too long by"):
        check_output(source, tmp_path / ("x" * 300 + ".mp4"))
