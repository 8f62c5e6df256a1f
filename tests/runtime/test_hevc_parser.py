"""Whatever keeps the parser from being compiled ends no run, and its own reason is said."""

import logging

import pytest

from runtime import hevc_parser as module
from runtime.hevc_parser import hevc_parser

pytest.importorskip("numba", reason="without it there is no parser to fail")

from runtime.hevc import guided_map, partition_reader


def raises(error: Exception):
    def raising(*_):
        raise error

    return raising


@pytest.mark.parametrize(
    "error, words, remedy",
    [
        (RuntimeError("cannot cache function '_read': no locator available"), "no locator", "NUMBA_CACHE_DIR=FOLDER"),
        (OSError(28, "No space left on device"), "No space left on device", "NUMBA_CACHE_DIR=FOLDER"),
        (ImportError("Numba needs NumPy 2.2 or less\nand more"), "needs NumPy 2.2 or less", "--force-reinstall"),
    ],
)
def test_numba_that_fails_is_not_called_missing(monkeypatch, caplog, error, words, remedy):
    monkeypatch.setattr(partition_reader, "PartitionReader", raises(error))
    with caplog.at_level(logging.WARNING):
        obstacle = hevc_parser(None)
    assert isinstance(obstacle, str)
    assert obstacle.startswith("numba is installed but fails: ") and words in obstacle
    assert "\n" not in obstacle
    assert len(caplog.records) == 1 and obstacle in caplog.text and remedy in caplog.text


def test_numba_that_is_missing_is_called_so(monkeypatch, caplog):
    monkeypatch.setattr(partition_reader, "PartitionReader", raises(ImportError("No module named numba")))
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert hevc_parser(None) == "no numba to read the bitstream with"
    assert caplog.text.rstrip().endswith(" numba")


@pytest.mark.parametrize("depth", [8, 10])
def test_guided_maps_are_compiled_before_the_first_frame(monkeypatch, depth):
    seen = []
    monkeypatch.setattr(partition_reader, "PartitionReader", lambda _: "the reader")
    monkeypatch.setattr(guided_map, "guided_map", lambda luma, _: seen.append((luma.ndim, luma.flags.c_contiguous)))
    assert hevc_parser(None, depth) == "the reader"
    assert seen == [(2 if depth == 8 else 3, True), (2 if depth == 8 else 3, False)]


def test_guided_maps_that_do_not_compile_are_an_obstacle_too(monkeypatch):
    monkeypatch.setattr(partition_reader, "PartitionReader", lambda _: "the reader")
    monkeypatch.setattr(guided_map, "guided_map", raises(OSError("read-only file system")))
    assert hevc_parser(None) == "numba is installed but fails: OSError: read-only file system"
