"""Ctrl-C, and what else asks a run to stop: once it ends the decoding, twice everything."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cvqe.errors import ExitCode
from runtime.pipeline import Pipeline

log = logging.getLogger(__name__)
# Ctrl-C, a service manager's stop, a terminal that closes
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class _Asked:
    """Whether an end was asked for; libraries may turn a KeyboardInterrupt that meets them into an error of theirs."""

    def __init__(self) -> None:
        self.is_set = False

    def interrupt(self, _signal: int, _frame: Any) -> None:
        self.is_set = True
        raise KeyboardInterrupt


_asked = _Asked()


@contextmanager
def interrupted_by_all_signals() -> Iterator[None]:
    """Let every signal that asks for an end act as Ctrl-C does, but for those that are ignored, as by nohup."""
    _asked.is_set = False
    with _handling(_asked.interrupt):
        yield


@contextmanager
def _handling(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle the signals inside, where that is possible: only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in _heeded()}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def _heeded() -> list[signal.Signals]:
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def interruptible(pipeline: Pipeline, abandon: Callable[[], str | None]) -> Iterator[None]:
    """Make the first signal end the decoding, a second one everything; only the main thread can.

    Args:
        pipeline: runs inside.
        abandon: takes away the output without waiting for anything; returns what is kept nevertheless.

    Raises:
        KeyboardInterrupt: at the second signal, when all stages have ended.
    """
    if _asked.is_set:
        raise KeyboardInterrupt

    def interrupt(_signal: int, _frame: Any) -> None:
        is_second = pipeline.wants_end.is_set()
        pipeline.end_early()
        if not is_second:
            log.warning("finishing what is under way; Ctrl-C again stops at once")
        elif pipeline.stages.is_stuck():
            pipeline.stages.stop(KeyboardInterrupt())
        else:  # the stages have ended, the file is being finished
            raise KeyboardInterrupt

    try:
        with _handling(interrupt):
            yield
    except KeyboardInterrupt:
        if pipeline.stages.is_stuck():  # inside a read or a write that may never return: nothing may wait for it
            log.warning("stopped; %s", abandon() or "nothing was kept")
            os._exit(ExitCode.INTERRUPTED)
        raise
