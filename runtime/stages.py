"""Threads that hand work on: bounded channels between them, one way to stop, one error to report.

decode --channel--> upload --ring--> compute --channel--> encode
   any of them fails: every wait everywhere ends with Stopped, and the first error is raised by join()
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
STOP_PATIENCE_S = 5.0  # the longest that one frame, or one read of a sound disk, takes
JOIN_STEP_S = 0.02


class Stopped(Exception):
    """A stage waits for something that will not come, because another one has failed."""


class Stages:
    """The threads of one run and their common end."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._conditions: list[threading.Condition] = []
        self._lock = threading.Lock()
        self._own = threading.local()
        self.error: BaseException | None = None
        self.is_stopped = False

    def condition(self) -> threading.Condition:
        """Return a condition whose waiters wake when the run stops."""
        condition = threading.Condition()
        self._conditions.append(condition)
        return condition

    def channel(self, capacity: int) -> "Channel[T]":
        """Return a queue of at most `capacity` items that ends with the run."""
        return Channel(self, capacity)

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` in a thread of its own; what it raises stops every stage."""
        thread = threading.Thread(target=self._run, args=(work,), name=f"cvqe-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, error: BaseException | None = None) -> None:
        """End every wait of every stage; the first error given is the one that join() raises."""
        with self._lock:
            if self.error is None and not self.is_stopped:
                self.error = error
            self.is_stopped = True
        for condition in self._conditions:
            with condition:
                condition.notify_all()

    def wait(self, condition: threading.Condition, is_ready: Callable[[], bool]) -> None:
        """Wait, holding `condition`, until something is ready.

        Raises:
            Stopped: the run was stopped first.
        """
        start = time.perf_counter()
        condition.wait_for(lambda: self.is_stopped or is_ready())
        self._own.waited_s = self.waited_s() + time.perf_counter() - start
        if self.is_stopped:
            raise Stopped

    def waited_s(self) -> float:
        """Return how long the calling thread has waited for others so far."""
        return float(getattr(self._own, "waited_s", 0.0))

    def join(self) -> None:
        """Wait for every thread's end, then raise the first error there was.

        After a stop the wait has an end too: a thread may hang in a read that never returns.
        """
        patience_s = STOP_PATIENCE_S
        while self.is_stuck() and patience_s > 0:
            time.sleep(JOIN_STEP_S)  # in short steps: a signal's handler runs between them
            patience_s -= JOIN_STEP_S if self.is_stopped else 0
        if self.error is not None:
            raise self.error

    def is_stuck(self) -> bool:
        """Tell whether a thread is still alive."""
        return any(thread.is_alive() for thread in self._threads)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Stopped:
            self.stop()
        except BaseException as error:
            self.stop(error)


class Channel(Generic[T]):
    """A bounded queue between two stages."""

    def __init__(self, stages: Stages, capacity: int) -> None:
        self._stages, self._capacity = stages, capacity
        self._condition = stages.condition()
        self._items: deque[T] = deque()
        self._is_ended = False

    def put(self, item: T) -> None:
        """Add an item, waiting while the channel is full."""
        with self._condition:
            self._stages.wait(self._condition, lambda: len(self._items) < self._capacity)
            self._items.append(item)
            self._condition.notify_all()

    def end(self) -> None:
        """Say that no item follows."""
        with self._condition:
            self._is_ended = True
            self._condition.notify_all()

    def get(self) -> T:
        """Take the oldest item, waiting while there is none.

        Raises:
            StopIteration: the channel has ended and is empty.
        """
        with self._condition:
            self._stages.wait(self._condition, lambda: bool(self._items) or self._is_ended)
            if not self._items:
                raise StopIteration
            item = self._items.popleft()
            self._condition.notify_all()
            return item

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                yield self.get()
            except StopIteration:
                return
