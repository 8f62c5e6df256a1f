"""The GPU a benchmark runs on: its name for the rows, the bandwidth a floor is computed with, times by its clock."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.report import Timing

# bytes a second of the memory, as NVIDIA's data sheets give it, by the very name the driver tells: an H100 with HBM3
# and one on PCIe differ by a third. Others are measured
BANDWIDTH = {
    "NVIDIA H200": 4.8e12,
    "NVIDIA H100 80GB HBM3": 3.35e12,
    "NVIDIA A100-SXM4-80GB": 2.039e12,
    "NVIDIA GeForce RTX 4090": 1.008e12,
    "NVIDIA GeForce RTX 5090": 1.792e12,
}
COPIED_BYTES = 2**30


@dataclass(frozen=True)
class Bandwidth:
    """How fast the memory is, and how that is known."""

    bytes_per_s: float
    source: str

    def __str__(self) -> str:
        return f"{self.bytes_per_s / 1e12:.2f} TB/s, {self.source}"


def gpu_name() -> str:
    """Return name, memory and driver of the current device, as results tell it."""
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    driver = _driver_version()
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, driver {driver}"


def bandwidth() -> Bandwidth:
    """Return that of the current device's memory: the data sheet's where the GPU is known, else what a copy reaches."""
    known = BANDWIDTH.get(torch.cuda.get_device_name())
    return Bandwidth(known, "of the data sheet") if known else Bandwidth(copy_bandwidth(), "measured by copying")


def give_back() -> None:
    """Return the memory that torch keeps for later, and that of what nothing refers to any more."""
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()


def free_bytes() -> int:
    """Return how much of the device's memory no process holds."""
    torch.cuda.synchronize()
    return int(torch.cuda.mem_get_info()[0])


def copy_bandwidth() -> float:
    """Return the bytes a second that a plain copy inside the memory moves, read and written."""
    source = torch.empty(COPIED_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    timing = graph_ms(lambda: target.copy_(source), repeats=5, rounds=10)
    return 2 * COPIED_BYTES / (timing.median / 1000)


def graph_ms(work: Callable[[], Any], repeats: int = 20, rounds: int = 30) -> Timing:
    """Time work on the device: `repeats` of it recorded into one CUDA graph, so that the host is not measured.

    Returns:
        milliseconds of one.
    """
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(2):  # what is compiled, loaded or tuned late is not to be recorded
            work()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            for _ in range(repeats):
                work()
        times = [_event_ms(graph.replay, stream) / repeats for _ in range(rounds + 3)]
    return Timing.of(times[3:])


def eager_ms(work: Callable[[], Any], rounds: int = 30) -> Timing:
    """Time work as Python launches it, kernel by kernel, by the device's clock."""
    stream = torch.cuda.current_stream()
    times = [_event_ms(work, stream) for _ in range(rounds + 3)]
    return Timing.of(times[3:])


def _event_ms(work: Callable[[], Any], stream: torch.cuda.Stream) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record(stream)
    work()
    end.record(stream)
    end.synchronize()
    return float(start.elapsed_time(end))


def _driver_version() -> str:
    from runtime.machine import nvidia_gpus

    found, note = nvidia_gpus()
    return found[torch.cuda.current_device()].split(",")[1].strip() if found else f"unknown ({note})"
