import os
from pathlib import Path

import pytest

from cvqe.errors import UsageError
from runtime.destination_address import destination_address, is_stdout
from runtime.output_path import check_free


def test_a_name_is_a_file_of_the_container_its_ending_tells(tmp_path):
    address = destination_address(str(tmp_path / "better: 100% 2.mkv"))
    assert (address.path, address.format) == (tmp_path / "better: 100% 2.mkv", "matroska")


@pytest.mark.parametrize(
    "given, asked, url, form",
    [
        ("-", None, "pipe:1", "matroska"),
        ("-", "mpegts", "pipe:1", "mpegts"),
        ("udp://239.0.0.1:5000", None, "udp://239.0.0.1:5000", "mpegts"),
        ("rtsp://camera/out", None, "rtsp://camera/out", "rtsp"),
        ("rtmp://host/app", None, "rtmp://host/app", "flv"),
        ("tcp://host:1", "nut", "tcp://host:1", "nut"),
        ("/dev/null", None, "/dev/null", "matroska"),
    ],
)
def test_streams_have_a_format_of_their_own(monkeypatch, given, asked, url, form):
    monkeypatch.setattr("sys.stdout", os.fdopen(os.dup(1), "w"))
    address = destination_address(given, asked)
    assert (address.path, address.format, address.container) == (None, form, form)
    assert address.url == url or given == "-"


def test_a_pipe_gets_an_mp4_in_fragments():
    assert "frag_keyframe" in destination_address("tcp://host:1", "mp4").options["movflags"]
    assert "movflags" not in destination_address("tcp://host:1", "mpegts").options


def test_a_path_is_never_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="ends in nothing"):
        destination_address(Path("udp://host"))


def test_a_playlist_and_numbered_files_are_segments(tmp_path):
    playlist = destination_address(str(tmp_path / "live.m3u8"))
    assert (playlist.format, playlist.container) == ("hls", "mpegts")
    assert playlist.written == (tmp_path / "live.m3u8", tmp_path / "live*.ts")
    numbered = destination_address(str(tmp_path / "part_%05d.mkv"))
    assert (numbered.format, numbered.container) == ("segment", "matroska")
    assert numbered.written == (tmp_path / "part_[0-9]*.mkv", tmp_path / "part.csv")


@pytest.mark.parametrize(
    "given, asked, words",
    [
        ("-", "matrosca", "no output format 'matrosca'"),
        ("out.mkv", "mpegts", "leave --format out"),
        ("out.avi", None, "expected one of"),
        ("part_%05d.avi", None, "expected one of"),
    ],
)
def test_mistakes_are_told(given, asked, words):
    with pytest.raises(UsageError, match=words):
        destination_address(given, asked)


def test_a_files_address_is_a_file(tmp_path):
    assert destination_address(f"file://{tmp_path}/a%20b.mkv").path == tmp_path / "a b.mkv"


def test_passwords_are_for_their_owners():
    address = destination_address("srt://me:p@ss/word@host:1?passphrase=s3cret&mode=caller", "mpegts")
    assert address.text == "srt://host:1?passphrase=...&mode=caller"
    assert "s3cret" in address.url


@pytest.mark.skipif(not os.path.exists("/dev/fd/1"), reason="no such names of open files here")  # noqa: PTH110
def test_standard_output_has_several_names(tmp_path, monkeypatch):
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as output, os.fdopen(reader):
        monkeypatch.setattr("sys.stdout", output)
        assert is_stdout("-") and is_stdout(f"/dev/fd/{writer}")
        assert not is_stdout(str(tmp_path / "out.mkv")) and not is_stdout(None) and not is_stdout("udp://host:1")


@pytest.mark.parametrize("there, given", [("live1.ts", "live.m3u8"), ("part_00001.mkv", "part_%05d.mkv")])
def test_no_segment_is_written_over_unasked_and_the_input_never(tmp_path, there, given):
    (tmp_path / there).write_text("precious")
    patterns = destination_address(str(tmp_path / given)).written
    with pytest.raises(UsageError, match="exists"):
        check_free(patterns, (), overwrite=False)
    check_free(patterns, (), overwrite=True)
    with pytest.raises(UsageError, match="is read, and would be written"):
        check_free(patterns, (tmp_path / there, None), overwrite=True)
