"""A stand-in for runtime.cuda.driver.Cuda: real memory behind made-up addresses, and a device as late as it may be.

Work lies in its stream until somebody waits for it, or until the device goes on by itself. Which stream goes on next is
drawn; only the order inside a stream, events and the host's waiting are kept. Copies and kernels go on in steps, so
that others come between. What CUDA would answer with a crash or with wrong bytes is an AssertionError here: memory
that was given back, memory that isn't page-locked, allocating where nothing may allocate any more, a forgotten use().
"""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial, wraps
from itertools import count
from random import Random

import numpy as np

from runtime.cuda import driver_errors
from runtime.cuda.driver import ALIGNMENT, Device
from runtime.cuda.pinned_memory import PinnedMemory

FRESH, FREED = 0xA7, 0x5B  # what memory holds that nobody has written, or that was given back
Steps = Iterator[None]
Work = Callable[[], Steps]
DEVICE = Device(0, "a simulated GPU", 89, 2**30, (13, 0))


class Piece:
    """Allocated memory, of the device or page-locked."""

    def __init__(self, address: int, content: np.ndarray) -> None:
        self.address, self.content, self.is_live = address, content, True
        content[:] = FRESH

    def holds(self, address: int) -> bool:
        return self.address <= address < self.address + max(1, self.content.size)

    def part(self, address: int, size: int) -> np.ndarray:
        start = address - self.address
        assert self.is_live, "memory that was given back is used"
        assert start + size <= self.content.size, "more is touched than was allocated"
        return self.content[start : start + size]


class Mark:
    """One recording of an event."""

    def __init__(self) -> None:
        self.reached_at: int | None = None


def call(method):
    """Make a method one call of the driver: one at a time, in a thread that has the context, after some progress."""

    @wraps(method)
    def checked(self, *arguments, **named):
        with self.lock:
            assert getattr(self.own, "has_context", False), f"{method.__name__} in a thread without use()"
            if self.is_broken and method.__name__.startswith(("free", "destroy")):
                return None
            if self.is_broken:
                raise driver_errors.failure("CUDA_ERROR_ILLEGAL_ADDRESS", method.__name__)
            self.go_on()
            return method(self, *arguments, **named)

    return checked


class SimulatedCuda:
    """See runtime.cuda.driver.Cuda, whose methods these are, one for one.

    `deaf_in`: name of a function of the engine whose waits for events do nothing here; for tests of the tests.
    """

    def __init__(self, random: Random, memory_bytes: int = 2**30, deaf_in: str | None = None) -> None:
        self.device, self.random, self.memory_bytes, self.deaf_in = DEVICE, random, memory_bytes, deaf_in
        self.lock, self.own = threading.RLock(), threading.local()
        self.eagerness = random.choice((0.0, 0.02, 0.3))  # how often the device goes on before somebody waits for it
        self.is_broken = self.is_closed = self.is_frozen = False
        self.on_device: list[Piece] = []
        self.on_host: list[Piece] = []
        self.streams: dict[int, deque[Steps | Mark]] = {}
        self.events: dict[int, Mark | None] = {}
        self.timed: set[int] = set()
        self.graphs: dict[int, list[Work]] = {}
        self.captured: tuple[int, list[Work]] | None = None
        self.handles, self.clock, self.n_launches = count(1), count(1), 0

    # what tests look at

    def live(self) -> list[str]:
        """Name everything that was not given back."""
        pieces = [f"{piece.content.size} bytes" for piece in (*self.on_device, *self.on_host) if piece.is_live]
        handles = {"stream": self.streams, "event": self.events, "graph": self.graphs}
        return pieces + [f"{kind} {handle}" for kind, held in handles.items() for handle in held]

    def run(self, stream: int, work: Work) -> None:
        """Put a kernel into a stream: a function that touches memory() and yields between its steps."""
        assert getattr(self.own, "has_context", False)
        with self.lock:
            self._put(stream, work)

    def memory(self, address: int, size: int) -> np.ndarray:
        """Return device memory as a kernel sees it, while it runs."""
        return self._piece(self.on_device, address).part(address, size)

    def go_on(self) -> None:
        """Let the device do some steps by itself, or none."""
        while self.random.random() < self.eagerness and (streams := self._runnable()):
            self._step(self.random.choice(streams))

    # the driver

    def use(self) -> None:
        assert not self.is_closed
        self.own.has_context = True

    @call
    def allocate(self, size_bytes: int) -> int:
        self._may_allocate()
        used = sum(piece.content.size for piece in self.on_device if piece.is_live)
        if used + size_bytes > self.memory_bytes:
            raise driver_errors.out_of_memory("GPU", size_bytes, self.memory_bytes - used)
        last = self.on_device[-1] if self.on_device else Piece(2**40, np.empty(0, np.uint8))
        # never the same place twice, and never aligned to more than was promised
        address = -(-(last.address + last.content.size) // ALIGNMENT) * ALIGNMENT + ALIGNMENT
        self.on_device.append(Piece(address, np.empty(size_bytes, np.uint8)))
        return address

    @call
    def free(self, address: int) -> None:
        self._advance(lambda: not any(self.streams.values()))
        self._give_back(self.on_device, address)

    @call
    def allocate_pinned(self, size_bytes: int) -> PinnedMemory:
        self._may_allocate()
        content = np.empty(size_bytes, np.uint8)
        self.on_host.append(Piece(content.ctypes.data, content))
        return PinnedMemory(content.ctypes.data, size_bytes)

    @call
    def free_pinned(self, memory: PinnedMemory) -> None:
        self._give_back(self.on_host, memory.address)

    @call
    def memory_free_bytes(self) -> int:
        return self.memory_bytes - sum(piece.content.size for piece in self.on_device if piece.is_live)

    @call
    def create_stream(self) -> int:
        return self._created(self.streams, deque())

    @call
    def destroy_stream(self, stream: int) -> None:
        assert not self.streams[stream], "work is left in a stream that is given back"
        del self.streams[stream]

    @call
    def synchronize_stream(self, stream: int) -> None:
        self._not_captured()
        self._advance(lambda: not self.streams[stream])

    @call
    def synchronize(self) -> None:
        self._not_captured()
        self._advance(lambda: not any(self.streams.values()))

    @call
    def create_event(self, is_timed: bool = False) -> int:
        event = self._created(self.events, None)
        self.timed |= {event} if is_timed else set()
        return event

    @call
    def destroy_event(self, event: int) -> None:
        del self.events[event]

    @call
    def record(self, event: int, stream: int) -> None:
        self._not_captured()
        mark = Mark()
        self.events[event] = mark
        self._put(stream, partial(self._reach, mark))

    @call
    def wait_event(self, stream: int, event: int) -> None:
        self._not_captured()
        mark = self.events[event]
        if mark is not None and not self._is_deaf():
            self.streams[stream].append(mark)

    @call
    def synchronize_event(self, event: int) -> None:
        self._not_captured()
        mark = self.events[event]
        if mark is not None and not self._is_deaf():
            self._advance(lambda: mark.reached_at is not None)

    @call
    def elapsed_ms(self, start: int, end: int) -> float:
        assert {start, end} <= self.timed
        marks = self.events[start], self.events[end]
        assert all(mark is not None and mark.reached_at is not None for mark in marks), "CUDA_ERROR_NOT_READY"
        return float(marks[1].reached_at - marks[0].reached_at)

    @call
    def copy_to_device(self, target: int, source: int, size_bytes: int, stream: int) -> None:
        assert self._piece(self.on_host, source).part(source, size_bytes) is not None
        self._put(stream, partial(self._copy, self.on_device, target, self.on_host, source, size_bytes))

    @call
    def copy_to_host(self, target: int, source: int, size_bytes: int, stream: int) -> None:
        assert self._piece(self.on_host, target).part(target, size_bytes) is not None
        self._put(stream, partial(self._copy, self.on_host, target, self.on_device, source, size_bytes))

    @call
    def copy_on_device(self, target: int, source: int, size_bytes: int, stream: int) -> None:
        assert abs(target - source) >= size_bytes, "the two places overlap"
        self._put(stream, partial(self._copy, self.on_device, target, self.on_device, source, size_bytes))

    @call
    def fill(self, target: int, value: int, size_bytes: int, stream: int) -> None:
        self._put(stream, partial(self._fill, target, value, size_bytes))

    @call
    def capture(self, stream: int, work: Callable[[], None]) -> int:
        self._may_allocate()
        held: list[Work] = []
        self.captured = (stream, held)
        try:
            work()
        finally:
            self.captured = None
        return self._created(self.graphs, held)

    @call
    def launch(self, graph: int, stream: int) -> None:
        self._not_captured()
        self.n_launches += 1
        held = self.graphs[graph]
        self._put(stream, lambda: (step for work in held for step in work()))

    @call
    def destroy_graph(self, graph: int) -> None:
        del self.graphs[graph]

    def close(self) -> None:
        assert self.is_broken or self.live() == [], "the device is closed before everything was given back"
        self.is_closed = True

    # inside

    def _put(self, stream: int, work: Work) -> None:
        if self.captured is not None:
            assert stream == self.captured[0], "work for another stream in a capture"
            self.captured[1].append(work)
        else:
            self.streams[stream].append(work())

    def _runnable(self) -> list[int]:
        heads = {stream: queue[0] for stream, queue in self.streams.items() if queue}
        return [s for s, head in heads.items() if not isinstance(head, Mark) or head.reached_at is not None]

    def _step(self, stream: int) -> None:
        queue = self.streams[stream]
        head = queue[0]
        if isinstance(head, Mark) or next(head, self) is self:
            queue.popleft()

    def _advance(self, is_done: Callable[[], bool]) -> None:
        while not is_done():
            streams = self._runnable()
            assert streams, "the device waits for itself"
            self._step(self.random.choice(streams))

    def _reach(self, mark: Mark) -> Steps:
        mark.reached_at = next(self.clock)
        yield

    def _copy(self, to: list[Piece], target: int, origin: list[Piece], source: int, size: int) -> Steps:
        middle = size // 2
        for start, end in ((0, middle), (middle, size)):
            part = self._piece(origin, source).part(source, size)[start:end]
            self._piece(to, target).part(target, size)[start:end] = part
            yield

    def _fill(self, target: int, value: int, size: int) -> Steps:
        self.memory(target, size)[:] = value
        yield

    def _piece(self, pieces: list[Piece], address: int) -> Piece:
        # of pinned memory the host's allocator may give the same place out again: the last one counts
        found = [piece for piece in pieces if piece.holds(address)]
        assert found, "the address is in no memory of this kind: not page-locked, or not the device's"
        return found[-1]

    def _give_back(self, pieces: list[Piece], address: int) -> None:
        piece = self._piece(pieces, address)
        assert piece.address == address and piece.is_live, "memory is given back twice"
        piece.is_live = False
        piece.content[:] = FREED

    def _created(self, held: dict, value: object) -> int:
        self._may_allocate()
        handle = next(self.handles)
        held[handle] = value
        return handle

    def _may_allocate(self) -> None:
        assert not self.is_frozen, "something is allocated after the warm-up"
        self._not_captured()

    def _not_captured(self) -> None:
        assert self.captured is None, "a capture can't hold this"

    def _is_deaf(self) -> bool:
        return self.deaf_in is not None and sys._getframe(2).f_back.f_code.co_name == self.deaf_in
