"""What was taken from a device and is to be given back, all at once, the last first."""

from collections.abc import Callable
from contextlib import ExitStack

from runtime.cuda.driver import Cuda
from runtime.cuda.pinned_memory import PinnedMemory


class Resources:
    """The one owner of memory, streams, events and graphs; close() gives them back, once."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._stack = ExitStack()
        self.is_closed = False

    def device_memory(self, size_bytes: int, stream: int) -> int:
        """Return the address of device memory that is zero once the stream gets there."""
        address = self._cuda.allocate(size_bytes)
        self._stack.callback(self._cuda.free, address)
        self._cuda.fill(address, 0, size_bytes, stream)
        return address

    def pinned_memory(self, size_bytes: int) -> PinnedMemory:
        """Return page-locked host memory."""
        memory = self._cuda.allocate_pinned(size_bytes)
        self._stack.callback(self._cuda.free_pinned, memory)
        return memory

    def stream(self) -> int:
        """Return a new stream."""
        stream = self._cuda.create_stream()
        self._stack.callback(self._cuda.destroy_stream, stream)
        return stream

    def event(self, is_timed: bool = False) -> int:
        """Return a new event."""
        event = self._cuda.create_event(is_timed)
        self._stack.callback(self._cuda.destroy_event, event)
        return event

    def graph(self, stream: int, work: Callable[[], None]) -> int:
        """Return a graph of what `work` puts into the stream."""
        graph = self._cuda.capture(stream, work)
        self._stack.callback(self._cuda.destroy_graph, graph)
        return graph

    def at_close(self, work: Callable[[], None]) -> None:
        """Have something else done on close(), before what was taken earlier is given back."""
        self._stack.callback(work)

    def close(self) -> None:
        """Wait for all work, then give everything back; again: nothing. From any thread."""
        if self.is_closed:
            return
        self.is_closed = True
        with self._stack:  # gives back even where waiting fails
            if not self._cuda.is_broken:
                self._cuda.use()
                self._cuda.synchronize()
