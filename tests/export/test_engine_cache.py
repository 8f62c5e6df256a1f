"""Keys of requests, and engines that are there already."""

import errno
import os

import pytest

from cvqe.engine_manifest import manifest_path
from cvqe.errors import CvqeError
from export import engine_cache
from export.engine_cache import find_built, publish, request_key
from export.timing_cache import load_timing_cache, save_timing_cache
from runtime.engine_file import load_engine_file
from tests.engines import engine_manifest, save_engine

REQUEST = {"onnx_sha256": "1", "profile": {"window": [(1, 7), (1, 7), (1, 7)]}, "build": {"a": None, "b": 1}}


def test_the_key_depends_on_every_fact_and_not_on_their_order():
    key = request_key(REQUEST)
    assert key == request_key(dict(reversed(REQUEST.items())))
    assert key == request_key({**REQUEST, "profile": {"window": [[1, 7], [1, 7], [1, 7]]}})
    for name in REQUEST:
        assert request_key({**REQUEST, name: "another"}) != key
    assert request_key({**REQUEST, "build": {"a": False, "b": 1}}) != key


def test_only_a_whole_engine_of_the_same_request_is_found(tmp_path):
    path = tmp_path / "m.engine"
    assert find_built(path, "k") == (None, "")
    save_engine(path, key="k")
    assert find_built(path, "k") == (load_engine_file(path), "")
    assert "for another request" in find_built(path, "other")[1]
    path.write_bytes(b"damaged")
    engine, reason = find_built(path, "k")
    assert engine is None and "damaged" in reason


def test_a_crash_between_the_renames_leaves_nothing_to_load(tmp_path, monkeypatch):
    path = tmp_path / "m.engine"
    old = save_engine(path, b"old", key="k")
    real = engine_cache.write_whole

    def crash_at_manifest(target, content):
        if target == manifest_path(path):
            raise KeyboardInterrupt
        real(target, content)

    monkeypatch.setattr(engine_cache, "write_whole", crash_at_manifest)
    with pytest.raises(KeyboardInterrupt):
        publish(path, b"new", engine_manifest(key="k2"))
    assert path.read_bytes() == b"new"  # beside the old one's manifest
    assert find_built(path, old.key)[0] is None
    assert find_built(path, "k2")[0] is None
    with pytest.raises(CvqeError, match="another engine"):
        load_engine_file(path)


def test_of_an_engine_that_can_not_be_written_nothing_is_left(tmp_path, monkeypatch):
    path = tmp_path / "m.engine"
    old = save_engine(path, b"old", key="k")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CvqeError, match=r"No space left on device.*--saveEngine"):
        publish(path, b"new", engine_manifest(key="k2"))
    assert find_built(path, old.key)[0] is not None
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m.engine", "m.engine.json"]


def test_timings_are_kept_and_a_folder_that_is_not_there_is_no_error(tmp_path, caplog):
    assert load_timing_cache(tmp_path / "timing.cache") == b""
    save_timing_cache(tmp_path / "timing.cache", b"timings")
    assert load_timing_cache(tmp_path / "timing.cache") == b"timings"
    assert [path.name for path in tmp_path.iterdir()] == ["timing.cache"]
    save_timing_cache(tmp_path / "none" / "timing.cache", b"timings")
    assert load_timing_cache(tmp_path / "none" / "timing.cache") == b""
    assert "is not kept" in caplog.text
