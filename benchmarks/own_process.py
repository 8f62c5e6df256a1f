"""A measurement in a process of its own, so that its memory is nobody else's; whatever ends it is told, not raised.

    server, which has imported the libraries and nothing more --fork--> measurement --pipe--> outcome

A process of its own that imports torch by itself would take longer for that than for most measurements.
"""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from cvqe.errors import CvqeError
from runtime.engine import last_words

Outcome = dict[str, Any]  # what was measured, or NOT_MEASURED alone
NOT_MEASURED = "not_measured"  # and why
# what takes seconds to import; torch's own operations in Python import the last one when they are first called. What is
# not installed is left out
LIBRARIES = ["benchmarks.eager_network", "runtime.backends.openvino_cpu", "torch._dynamo"]


def in_own_process(measure: Callable[[], Outcome], limit_s: float) -> Outcome:
    """Return what `measure`, which must be picklable, returns there, or why it did not."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload(LIBRARIES)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(measure, sender))
    process.start()
    sender.close()  # the other end is the process's own: when that ends, nothing more can come
    try:
        return _received(receiver, limit_s) or {NOT_MEASURED: _ending(process)}
    finally:
        process.kill()
        process.join()


def _send(measure: Callable[[], Outcome], sender: "Connection[Outcome, Any]") -> None:
    try:
        outcome = measure()
    except CvqeError as error:
        outcome = {NOT_MEASURED: str(error).splitlines()[0]}
    except (RuntimeError, MemoryError) as error:  # what libraries raise where memory is short
        outcome = {NOT_MEASURED: last_words(error)}
    sender.send(outcome)


def _received(receiver: "Connection[Any, Outcome]", limit_s: float) -> Outcome | None:
    """Return what came, None where the process ended without a word."""
    if not receiver.poll(limit_s):
        return {NOT_MEASURED: f"took longer than {limit_s:.0f} s"}
    try:
        return receiver.recv()
    except EOFError:
        return None


def _ending(process: Any) -> str:
    process.join()
    if process.exitcode < 0:
        return f"ended by {signal.Signals(-process.exitcode).name}; the system sends SIGKILL where memory is short"
    return f"ended with exit code {process.exitcode}"
