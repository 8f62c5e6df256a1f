import os
import signal
import time
from functools import partial

import pytest

from benchmarks import own_process
from benchmarks.own_process import NOT_MEASURED, in_own_process
from cvqe.errors import UsageError
from runtime.machine import peak_memory_mb


@pytest.fixture(autouse=True)
def nothing_is_imported_before(monkeypatch):
    monkeypatch.setattr(own_process, "LIBRARIES", [])


def filled(n_mb):
    before = peak_memory_mb()
    kept = b"x" * (n_mb * 2**20)
    return {"pid": os.getpid(), "mb": peak_memory_mb() - before, "n": len(kept)}


def failing(error):
    raise error


def ended_by(signal_number):
    os.kill(os.getpid(), signal_number)


def test_every_measurement_has_a_process_and_memory_of_its_own():
    large, small = (in_own_process(partial(filled, n_mb), 60) for n_mb in (200, 20))
    assert len({large["pid"], small["pid"], os.getpid()}) == 3
    assert 190 < large["mb"] < 260 and 15 < small["mb"] < 60


@pytest.mark.parametrize(
    "measure, told",
    [
        (partial(failing, UsageError("no such thing.\nChoose another.")), "no such thing."),
        (partial(failing, RuntimeError("a library's words\nout of memory")), "out of memory"),
        (partial(ended_by, signal.SIGKILL), "ended by SIGKILL; the system sends SIGKILL where memory is short"),
        (partial(os._exit, 3), "ended with exit code 3"),
    ],
)
def test_what_ends_a_measurement_is_told(measure, told):
    assert in_own_process(measure, 60) == {NOT_MEASURED: told}


def test_a_measurement_without_an_end_is_ended():
    start = time.monotonic()
    assert in_own_process(partial(time.sleep, 600), 1) == {NOT_MEASURED: "took longer than 1 s"}
    assert time.monotonic() - start < 30
