"""Locks between processes."""

import errno
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from cvqe import file_lock
from cvqe.errors import CvqeError
from cvqe.file_lock import locked

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from cvqe.file_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
COUNT = """
import sys, time
from pathlib import Path
from cvqe.file_lock import locked
path = Path(sys.argv[1])
for _ in range(20):
    with locked(path):
        value = int(path.read_text())
        time.sleep(0.001)
        path.write_text(str(value + 1))
"""


def python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_the_second_process_waits_for_the_first(tmp_path, caplog):
    with python(HOLD, tmp_path / "m.engine", 0.6) as first, caplog.at_level("INFO"):
        assert first.stdout.readline() == "held\n"
        start = time.monotonic()
        with locked(tmp_path / "m.engine"):
            assert time.monotonic() - start > 0.3
    assert "another process works on" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_killed_lets_go(tmp_path):
    with python(HOLD, tmp_path / "m.engine", 60) as first:
        assert first.stdout.readline() == "held\n"
        first.kill()
    with locked(tmp_path / "m.engine"):
        pass


def test_no_two_processes_hold_it_while_the_lock_comes_and_goes(tmp_path, monkeypatch):
    path = tmp_path / "count"
    path.write_text("0")
    processes = [python("import cvqe.file_lock as lock; lock.POLL_S = 0.001\n" + COUNT, path) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    for process in processes:
        process.stdout.close()
    assert path.read_text() == "60"


def test_windows_locks_a_byte_and_leaves_the_file(tmp_path, monkeypatch):
    calls, busy = [], [True, False]

    def locking(_descriptor, mode, n_bytes):
        calls.append((mode, n_bytes))
        if mode == "try" and busy.pop(0):
            raise OSError(errno.EACCES, "held")

    windows = types.SimpleNamespace(LK_NBLCK="try", LK_UNLCK="free", locking=locking)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setattr(file_lock, "fcntl", None)
    with locked(tmp_path / "m.engine"):
        assert calls == [("try", 1), ("try", 1)]
    assert calls[-1] == ("free", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["m.engine.lock"]


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(CvqeError, match="can't be written"), locked(tmp_path / "none" / "m.engine"):
        pass


def test_who_does_not_wait_is_refused(tmp_path):
    with python(HOLD, tmp_path / "out.mp4", 60) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(CvqeError, match="another run is writing to"), locked(tmp_path / "out.mp4", waits=False):
            pass
        first.kill()
    with locked(tmp_path / "out.mp4", waits=False):
        pass


def test_a_drive_without_locks_is_said_and_used(tmp_path, monkeypatch, caplog):
    def flock(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(file_lock.fcntl, "flock", flock)
    with locked(tmp_path / "out.mp4", waits=False):
        pass
    assert "out.mp4.lock can't be locked (Operation not supported)" in caplog.text
    assert list(tmp_path.iterdir()) == []
