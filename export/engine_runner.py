"""An engine on the GPU, fed with made-up frames: copy in, compute, copy out, each in a stream of its own.

slot 0   h2d | compute | d2h          two slots of memory, so that one inference is enqueued
slot 1         h2d     | compute | d2h         while the other runs, as trtexec does it
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from cvqe.engine_manifest import Shape
from export.timing_statistics import InferenceTimes
from runtime.cuda.driver import Cuda
from runtime.tensorrt_engine import LoadedEngine

N_SLOTS = 2
_PARTS = ("start_h2d", "end_h2d", "start_compute", "end_compute", "start_d2h", "end_d2h")


@dataclass(frozen=True)
class _Tensor:
    """One input or output of a slot: its place on the device and in page-locked host memory."""

    name: str
    is_input: bool
    device: int
    host: int
    size_bytes: int


@dataclass(frozen=True)
class _Streams:
    h2d: int
    compute: int
    d2h: int


class Slot:
    """Memory of one inference and the events around its parts."""

    def __init__(
        self,
        cuda: Cuda,
        loaded: LoadedEngine,
        tensors: tuple[_Tensor, ...],
        streams: _Streams,
        events: Mapping[str, int],
    ) -> None:
        self._cuda, self._loaded, self._tensors = cuda, loaded, tensors
        self._streams, self._events = streams, events
        self._graph: int | None = None
        self.is_running = False

    def execute(self) -> None:
        """Enqueue the network alone, on this slot's memory.

        Raises:
            BackendError: TensorRT or our plugin refuses.
        """
        loaded = self._loaded
        for tensor in self._tensors:
            is_taken = loaded.context.set_tensor_address(tensor.name, tensor.device)
            loaded.need(is_taken, f"refuses the address of {tensor.name}")
        loaded.need(loaded.context.execute_async_v3(self._streams.compute), "does not run")

    def capture(self) -> int:
        """Record the network as a CUDA graph, launched from now on; run it once before. Returns it, for freeing."""
        self._graph = self._cuda.capture(self._streams.compute, self.execute)
        return self._graph

    def enqueue(self) -> None:
        """Enqueue the copy in, the network and the copy out; the slot is not to be touched before `finished`."""
        cuda, streams, at = self._cuda, self._streams, self._events
        cuda.record(at["start_h2d"], streams.h2d)
        for tensor in self._tensors:
            if tensor.is_input:
                cuda.copy_to_device(tensor.device, tensor.host, tensor.size_bytes, streams.h2d)
        cuda.record(at["end_h2d"], streams.h2d)
        cuda.wait_event(streams.compute, at["end_h2d"])
        cuda.record(at["start_compute"], streams.compute)
        self._run()
        cuda.record(at["end_compute"], streams.compute)
        cuda.wait_event(streams.d2h, at["end_compute"])
        cuda.record(at["start_d2h"], streams.d2h)
        for tensor in self._tensors:
            if not tensor.is_input:
                cuda.copy_to_host(tensor.host, tensor.device, tensor.size_bytes, streams.d2h)
        cuda.record(at["end_d2h"], streams.d2h)
        self.is_running = True

    def finished(self, origin: int) -> InferenceTimes:
        """Wait for the inference and return its times after the event `origin`."""
        self._cuda.synchronize_event(self._events["end_d2h"])
        self.is_running = False
        return InferenceTimes(*(self._cuda.elapsed_ms(origin, self._events[part]) for part in _PARTS))

    def _run(self) -> None:
        if self._graph is None:
            self.execute()
        else:
            self._cuda.launch(self._graph, self._streams.compute)


@dataclass(frozen=True)
class EngineRunner:
    """An engine ready to be timed."""

    cuda: Cuda
    loaded: LoadedEngine
    slots: tuple[Slot, ...]
    streams: _Streams
    origin: int  # event

    def begin(self) -> None:
        """Set the time that all others are told from."""
        self.cuda.record(self.origin, self.streams.h2d)

    def run_alone(self) -> None:
        """Run the network once, nothing beside it."""
        self.slots[0].execute()
        self.cuda.synchronize_stream(self.streams.compute)


@contextmanager
def open_runner(
    trt: ModuleType, cuda: Cuda, loaded: LoadedEngine, shapes: Mapping[str, Shape], use_cuda_graph: bool = False
) -> Iterator[EngineRunner]:
    """Give an engine memory, streams and made-up inputs, at these shapes, and take them back at the end.

    Args:
        loaded: by `trt`; it stays the caller's to close.
        shapes: of every input.
        use_cuda_graph: launch one graph an inference.

    Raises:
        BackendError: the memory is not there, or the engine does not run at these shapes.
    """
    with ExitStack() as kept:
        _set_shapes(loaded, shapes)
        streams = _Streams(*(_kept(kept, cuda.create_stream(), cuda.destroy_stream) for _ in range(3)))
        origin = _kept(kept, cuda.create_event(True), cuda.destroy_event)
        slots = tuple(_open_slot(kept, trt, cuda, loaded, streams) for _ in range(N_SLOTS))
        # whatever happens, nothing is freed that the GPU still works on
        kept.callback(cuda.synchronize)
        runner = EngineRunner(cuda, loaded, slots, streams, origin)
        for slot in slots:  # TensorRT loads and chooses kernels at the first run of each shape
            slot.execute()
            cuda.synchronize_stream(streams.compute)
            if use_cuda_graph:
                kept.callback(cuda.destroy_graph, slot.capture())
        yield runner


def _set_shapes(loaded: LoadedEngine, shapes: Mapping[str, Shape]) -> None:
    for name, shape in shapes.items():
        loaded.need(loaded.context.set_input_shape(name, shape), f"does not take {name} as {shape}")


def _open_slot(kept: ExitStack, trt: ModuleType, cuda: Cuda, loaded: LoadedEngine, streams: _Streams) -> Slot:
    names = [loaded.engine.get_tensor_name(index) for index in range(loaded.engine.num_io_tensors)]
    tensors = tuple(_open_tensor(kept, trt, cuda, loaded, name, streams.h2d) for name in names)
    events = {part: _kept(kept, cuda.create_event(True), cuda.destroy_event) for part in _PARTS}
    return Slot(cuda, loaded, tensors, streams, events)


def _open_tensor(kept: ExitStack, trt: ModuleType, cuda: Cuda, loaded: LoadedEngine, name: str, stream: int) -> _Tensor:
    shape = tuple(int(size) for size in loaded.context.get_tensor_shape(name))
    dtype = np.dtype(trt.nptype(loaded.engine.get_tensor_dtype(name)))
    size_bytes = math.prod(shape) * dtype.itemsize
    device = _kept(kept, cuda.allocate(size_bytes), cuda.free)
    host = cuda.allocate_pinned(size_bytes)
    kept.callback(cuda.free_pinned, host)
    is_input = loaded.engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
    host.view(0, shape, dtype)[...] = _made_up(shape, dtype)
    cuda.copy_to_device(device, host.address, size_bytes, stream)
    cuda.synchronize_stream(stream)
    return _Tensor(name, is_input, device, host.address, size_bytes)


def _made_up(shape: Shape, dtype: np.dtype[Any]) -> Any:
    """Return noise over all bytes, or numbers from 1 to 50: a QP or a peak of 0 would be none."""
    random = np.random.default_rng(0)
    if dtype == np.uint8:
        return random.integers(0, 256, shape, np.uint8)
    return random.integers(1, 51, shape).astype(dtype)


def _kept(kept: ExitStack, handle: int, destroy: Any) -> int:
    kept.callback(partial(destroy, handle))
    return handle
