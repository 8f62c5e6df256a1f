"""The CUDA driver API, checked: every call either works or says in one sentence what to do.

Addresses, streams, events and graphs are plain integers, as TensorRT and kernels' launchers take them. The one context
is the device's primary one, which torch, ONNX Runtime and TensorRT use too. CUDA knows it thread by thread: a thread
calls use() before anything else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from runtime.cuda import driver_errors
from runtime.cuda.driver_errors import OUT_OF_MEMORY, SUCCESS
from runtime.cuda.pinned_memory import PinnedMemory

ALIGNMENT = 256  # bytes; what cuMemAlloc gives and TensorRT asks for


@dataclass(frozen=True)
class Device:
    """A GPU; compute_capability 89 stands for 8.9, cuda_version (13, 0) is the newest that its driver knows."""

    ordinal: int
    name: str
    compute_capability: int
    total_memory_bytes: int
    cuda_version: tuple[int, int]


class Cuda:
    """One device's memory, streams, events and graphs.

    Raises, every method:
        BackendError: the driver refuses, or an earlier kernel broke down.
    """

    def __init__(self, api: ModuleType, device: Device, context: Any) -> None:
        self._api, self.device, self._context = api, device, context
        self._is_closed = False
        self.is_broken = False  # a kernel broke down: this process can't use the device any more

    def use(self) -> None:
        """Make the device's context the calling thread's own; cheap enough for every entry point."""
        self._call("cuCtxSetCurrent", self._context)

    def allocate(self, size_bytes: int) -> int:
        """Return the address of device memory, aligned to 256 bytes, its content undefined."""
        return int(self._allocated("GPU", "cuMemAlloc", size_bytes))

    def free(self, address: int) -> None:
        """Give device memory back, after all work that touches it: the driver waits for it."""
        self._destroy("cuMemFree", address)

    def allocate_pinned(self, size_bytes: int) -> PinnedMemory:
        """Return page-locked host memory, the only kind that copies run beside the host from and to."""
        flags = self._api.CU_MEMHOSTALLOC_PORTABLE
        return PinnedMemory(int(self._allocated("page-locked", "cuMemHostAlloc", size_bytes, flags)), size_bytes)

    def free_pinned(self, memory: PinnedMemory) -> None:
        """Give page-locked memory back; arrays over it must not be used any more."""
        self._destroy("cuMemFreeHost", memory.address)

    def memory_free_bytes(self) -> int:
        """Return how much of the device's memory is free."""
        free, _total = self._call("cuMemGetInfo")
        return int(free)

    def create_stream(self) -> int:
        """Return a queue of work that does not wait for the default stream."""
        return int(self._call("cuStreamCreate", int(self._api.CUstream_flags.CU_STREAM_NON_BLOCKING)))

    def destroy_stream(self, stream: int) -> None:
        """End a stream after the work in it."""
        self._destroy("cuStreamDestroy", stream)

    def synchronize_stream(self, stream: int) -> None:
        """Wait until everything in a stream is done."""
        self._call("cuStreamSynchronize", stream)

    def synchronize(self) -> None:
        """Wait until everything in every stream is done."""
        self._call("cuCtxSynchronize")

    def create_event(self, is_timed: bool = False) -> int:
        """Return a mark to be put into streams; one that is timed tells elapsed_ms. Threads that wait for it sleep."""
        flags = self._api.CUevent_flags
        chosen = int(flags.CU_EVENT_BLOCKING_SYNC) | (0 if is_timed else int(flags.CU_EVENT_DISABLE_TIMING))
        return int(self._call("cuEventCreate", chosen))

    def destroy_event(self, event: int) -> None:
        """Give an event back."""
        self._destroy("cuEventDestroy", event)

    def record(self, event: int, stream: int) -> None:
        """Put the mark behind everything that is in the stream now; an earlier place of it is forgotten."""
        self._call("cuEventRecord", event, stream)

    def wait_event(self, stream: int, event: int) -> None:
        """Let later work in the stream wait for the event's last place; the host goes on, no place is no wait."""
        self._call("cuStreamWaitEvent", stream, event, 0)

    def synchronize_event(self, event: int) -> None:
        """Wait on the host for the event's last place; no place is no wait."""
        self._call("cuEventSynchronize", event)

    def elapsed_ms(self, start: int, end: int) -> float:
        """Return the time between two timed events that have both been reached."""
        return float(self._call("cuEventElapsedTime", start, end))

    def copy_to_device(self, target: int, source: int, size_bytes: int, stream: int) -> None:
        """Queue a copy from page-locked host memory, which must stay as it is until the copy is done."""
        self._call("cuMemcpyHtoDAsync", target, source, size_bytes, stream)

    def copy_to_host(self, target: int, source: int, size_bytes: int, stream: int) -> None:
        """Queue a copy to page-locked host memory, which must not be read until the copy is done."""
        self._call("cuMemcpyDtoHAsync", target, source, size_bytes, stream)

    def copy_on_device(self, target: int, source: int, size_bytes: int, stream: int) -> None:
        """Queue a copy inside the device's memory; the two places must not overlap."""
        self._call("cuMemcpyDtoDAsync", target, source, size_bytes, stream)

    def fill(self, target: int, value: int, size_bytes: int, stream: int) -> None:
        """Queue the writing of one byte value over device memory."""
        self._call("cuMemsetD8Async", target, value, size_bytes, stream)

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Record what `work` puts into the stream, without running it, as a graph to be launched any number of times.

        `work` must not allocate, wait or load kernels: run it once before.
        """
        mode = self._api.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", stream, mode)
        try:
            work()
        except BaseException:
            self._abandon_capture(stream)
            raise
        graph = self._call("cuStreamEndCapture", stream)
        try:
            return int(self._call("cuGraphInstantiate", graph, 0))
        finally:
            self._destroy("cuGraphDestroy", graph)

    def launch(self, graph: int, stream: int) -> None:
        """Queue everything that was captured."""
        self._call("cuGraphLaunch", graph, stream)

    def destroy_graph(self, graph: int) -> None:
        """Give a captured graph back."""
        self._destroy("cuGraphExecDestroy", graph)

    def close(self) -> None:
        """Let go of the device, after everything of it was given back; again: nothing.

        Its context stays until the process ends: objects of TensorRT, torch or ONNX Runtime that nobody has collected
        yet may still have to be destroyed in it, and another engine may want it at once.
        """
        self._is_closed = True

    def _call(self, function: str, *arguments: Any) -> Any:
        return self._checked(function, *_answer(self._api, function, *arguments))

    def _checked(self, function: str, code: str, values: Any) -> Any:
        if code != SUCCESS:
            self.is_broken |= code in driver_errors.STICKY
            raise driver_errors.failure(code, function)
        return values

    def _allocated(self, kind: str, function: str, size_bytes: int, *flags: int) -> Any:
        code, address = _answer(self._api, function, size_bytes, *flags)
        if code == OUT_OF_MEMORY:
            raise driver_errors.out_of_memory(kind, size_bytes, self.memory_free_bytes() if kind == "GPU" else None)
        return self._checked(function, code, address)

    def _destroy(self, function: str, handle: Any) -> None:
        # a broken context takes everything with it, and the error that broke it has been raised already
        if not self.is_broken:
            self._call(function, handle)

    def _abandon_capture(self, stream: int) -> None:
        """End a capture that failed: what ended it is raised, not that its graph is invalid."""
        _code, graph = _answer(self._api, "cuStreamEndCapture", stream)
        if graph is not None and int(graph):
            self._destroy("cuGraphDestroy", graph)


def open_cuda(ordinal: int = 0) -> Cuda:
    """Start the driver and take a device; 0 is the first of those that CUDA_VISIBLE_DEVICES leaves.

    Returns:
        the device, its context already the calling thread's own.

    Raises:
        BackendError: no package, no driver, one that is too old, no such device, or it can't be had.
    """
    api = _load_api()
    device = _start(api, "cuDeviceGet", ordinal)
    major, minor = (
        _start(api, "cuDeviceGetAttribute", getattr(api.CUdevice_attribute, name), device)
        for name in (
            "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR",
            "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR",
        )
    )
    name = _start(api, "cuDeviceGetName", 256, device).partition(b"\0")[0].decode()
    total = int(_start(api, "cuDeviceTotalMem", device))
    found = Device(ordinal, name, 10 * major + minor, total, _version(_start(api, "cuDriverGetVersion")))
    cuda = Cuda(api, found, _start(api, "cuDevicePrimaryCtxRetain", device))
    cuda.use()
    return cuda


def _load_api() -> ModuleType:
    """Import the bindings, start the driver and compare their versions."""
    try:
        from cuda.bindings import __version__ as bindings
        from cuda.bindings import driver as api
    except ImportError as error:
        raise driver_errors.no_bindings(error) from error
    version, needed = _version(_start(api, "cuDriverGetVersion")), int(bindings.partition(".")[0])
    if version < (needed, 0):
        raise driver_errors.old_driver(_text(version), f"{needed}.0", bindings)
    _start(api, "cuInit", 0)
    module: ModuleType = api
    return module


def _start(api: ModuleType, function: str, *arguments: Any) -> Any:
    code, values = _answer(api, function, *arguments)
    if code != SUCCESS:
        raise driver_errors.start_failure(code, function)
    return values


def _answer(api: ModuleType, function: str, *arguments: Any) -> tuple[str, Any]:
    """Call a function of the driver; returns its result code's name, and its value or values."""
    try:
        code, *values = getattr(api, function)(*arguments)
    except ValueError as error:  # the bindings' own, for a result code that is newer than they are
        raise driver_errors.unknown_code(function, error) from error
    except RuntimeError as error:  # theirs too: the library can't be opened, or lacks the function
        raise driver_errors.no_driver(function, error) from error
    return code.name, values[0] if len(values) == 1 else values


def _version(number: int) -> tuple[int, int]:
    """Split the driver's spelling of a CUDA version: 13020 is 13.2."""
    return number // 1000, number % 1000 // 10


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
