"""Jobs in processes of their own that stop within a frame when the user does, or when their parent dies."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Event
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Item = TypeVar("Item")

_stop: Event | None = None  # set in the workers alone
TICK_S = 0.5


class Stopped(Exception):
    """The run was stopped while this job was under way."""


def until_stopped(items: Iterable[Item]) -> Iterator[Item]:
    """Pass items on, as long as nobody stops the run.

    Raises:
        Stopped: somebody did.
    """
    for item in items:
        if _stop is not None and _stop.is_set():
            raise Stopped
        yield item


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: int,
    on_tick: Callable[[int, Sequence[Future[Result]]], None],
) -> None:
    """Run a function on every job, in so many processes.

    Args:
        function: of a module, not of a script; goes through its input by until_stopped().
        jobs: what to run it on, in this order.
        workers: processes.
        on_tick: called twice a second and whenever a job ends, with the number of ended jobs and those futures that
            are next in the order of the jobs. What it raises ends the run.
    """
    context = get_context("spawn")  # a fork of a process with threads may find their locks held
    stop = context.Event()
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _start_worker, (stop,))
    try:
        with _interrupts_held():
            futures = [pool.submit(function, job) for job in jobs]
        for n_done, ended in _in_order(futures):
            on_tick(n_done, ended)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _in_order(futures: list[Future[Result]]) -> Iterator[tuple[int, list[Future[Result]]]]:
    n_given = 0
    while n_given < len(futures):
        wait([future for future in futures[n_given:] if not future.done()], TICK_S, FIRST_COMPLETED)
        done = [future.done() for future in futures]
        n_ready = done.index(False) if False in done else len(done)
        yield sum(done), futures[n_given:n_ready]
        n_given = n_ready


def _start_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent alone answers
    # a pool's workers wait for work for ever when their parent is killed
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C from processes started here, which would die of it with a traceback before they can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
