import runpy
from pathlib import Path

import pytest

from tests.runtime.hevc import libde265, oracles, streams

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("required, is_skipped", [("", True), ("1", False)])
def test_without_an_oracle_a_test_is_skipped_unless_it_is_required(monkeypatch, required, is_skipped):
    monkeypatch.setattr(libde265, "library_path", lambda: None)
    monkeypatch.setattr(streams, "kvazaar_binary", lambda: None)
    monkeypatch.setenv("REQUIRE_ORACLES", required)
    if required:
        pytest.importorskip("numba")
    marks = runpy.run_path(oracles.__file__)
    assert [marks[name].args for name in ("needs_libde265", "needs_kvazaar")] == [(is_skipped,)] * 2


def test_ci_requires_them():
    assert "\nREQUIRE_ORACLES=1 make check\n" in (ROOT / ".ci" / "run").read_text()
