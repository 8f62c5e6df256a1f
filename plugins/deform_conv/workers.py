"""Threads that share out the parts of one piece of work."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Workers:
    """A number of threads, the caller one of them; several callers may use them at once."""

    def __init__(self, n_threads: int) -> None:
        assert n_threads > 0
        self.n_threads = n_threads
        self._helpers = ThreadPoolExecutor(max(1, n_threads - 1), "deform_conv", _allow_cpus, (allowed_cpus(),))

    def share(self, run: Callable[[], None], n_parts: int) -> None:
        """Call `run` in as many threads as there is work for; returns when all have returned.

        Args:
            run: takes parts until none is left, and lets go of the GIL meanwhile.
            n_parts: how many there are.
        """
        helpers = [self._helpers.submit(run) for _ in range(min(self.n_threads, n_parts) - 1)]
        run()
        for helper in helpers:
            if not helper.cancel():  # it has begun; else no part is left for it
                helper.result()


def allowed_cpus() -> set[int]:
    """Return the numbers of the processors this thread may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _allow_cpus(cpus: set[int]) -> None:
    """Undo in a new thread the pinning it inherits from the thread that runs the inference."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus)
