import os
from pathlib import Path

import pytest

from runtime.source_address import Kind, source_address


@pytest.mark.parametrize(
    "text", ["in.mp4", "12:30 100%d.mp4", "udp:/x", "a/udp://x.mp4", "C://x.mp4", "--", "mit Leer zeichen.mp4"]
)
def test_whatever_looks_odd_stays_a_file(text):
    address = source_address(text)
    assert (address.kind, address.path, address.is_live) == (Kind.FILE, Path(text), False)


@pytest.mark.parametrize("text", ["udp://127.0.0.1:5000", "rtsp://camera/1", "tcp://host:1", "https://host/in.mp4"])
def test_a_scheme_makes_an_address(text):
    address = source_address(text)
    assert (address.kind, address.url, address.name, address.path) == (Kind.NETWORK, text, text, None)
    assert address.is_live


def test_a_path_is_never_an_address():
    assert source_address(Path("udp://127.0.0.1:5000")).kind is Kind.FILE
    assert source_address(Path("-")).kind is Kind.FILE


def test_a_password_is_not_shown():
    address = source_address("rtsp://me:secret@camera/1")
    assert (address.url, address.text) == ("rtsp://me:secret@camera/1", "rtsp://camera/1")


def test_a_file_by_its_scheme_is_a_file():
    assert source_address("file:///videos/in%20it.mp4").path == Path("/videos/in it.mp4")


def test_a_dash_is_standard_input():
    address = source_address("-")
    assert (address.kind, address.url, address.name) == (Kind.PIPE, "pipe:0", "standard input")


def test_a_named_pipe_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "in.mkv")
    address = source_address(tmp_path / "in.mkv")
    assert (address.kind, address.url, address.path) == (Kind.PIPE, str(tmp_path / "in.mkv"), None)


def test_a_device_is_what_the_system_calls_one_or_what_an_input_format_reads(tmp_path):
    assert source_address("/dev/null").kind is Kind.DEVICE
    assert source_address(":0.0", "x11grab").kind is Kind.DEVICE
    (tmp_path / "in.yuv").touch()
    assert source_address(tmp_path / "in.yuv", "rawvideo").kind is Kind.FILE


def test_a_file_is_called_by_its_name_and_shown_with_its_folder(tmp_path):
    address = source_address(tmp_path / "in.mp4")
    assert (address.name, address.text) == ("in.mp4", str(tmp_path / "in.mp4"))
