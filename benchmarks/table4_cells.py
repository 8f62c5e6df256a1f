"""The cells of table4.py: a network, a size, a way of computing; each is measured in a process of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.network_speed import EAGER, SpeedRequest, size_of, speed_facts
from benchmarks.own_process import NOT_MEASURED, Outcome, in_own_process
from benchmarks.report import Timing
from benchmarks.table4_networks import Subject
from runtime.available_memory import available_bytes
from runtime.memory_need import PlannedRun, StatedVideo, memory_need

# a cell may take so much of what is expected; of a plain executor's need torch took 0.5 for RFDA, all for MemNet
NEAREST = 0.5
GB = 1e9


@dataclass(frozen=True)
class Computing:
    """Under what every cell is measured: `limit_s` is for one process; the others as in SpeedRequest."""

    device: str = "cpu"
    threads: int = 0
    seconds: float = SpeedRequest.seconds
    limit_s: float = 600.0


@dataclass(frozen=True)
class Cell:
    """What one process measures; size is WIDTHxHEIGHT, way one of network_speed.WAYS."""

    subject: Subject
    size: str
    way: str

    def __str__(self) -> str:
        return f"{self.subject.label} {self.size} {self.way}"


def cells_of(subjects: Sequence[Subject], sizes: Iterable[str]) -> list[Cell]:
    """Return all cells, small frames first; the ways of a network stand together, because they are compared.

    Raises:
        UsageError: a size is none.
    """
    pairs = [(size, subject) for size in sizes if size_of(size) for subject in subjects]
    return [Cell(subject, size, way) for size, subject in pairs for way in subject.ways]


def outcome_of(cell: Cell, computing: Computing, at_least: int) -> Outcome:
    """Measure a cell in a process of its own; whatever hinders that is told in the outcome.

    Args:
        at_least: frames to be timed.
    """
    lacking = memory_lacking(cell, computing)
    if lacking:
        return {NOT_MEASURED: lacking}
    options = (computing.device, computing.threads, computing.seconds, at_least)
    request = SpeedRequest(cell.subject.file.path, cell.size, cell.way, *options)
    return in_own_process(partial(speed_facts, request), computing.limit_s)


def summary(outcome: Outcome) -> str:
    """Return an outcome in a few words."""
    if NOT_MEASURED in outcome:
        return f"not measured: {outcome[NOT_MEASURED]}"
    timing = Timing.of(outcome["times_ms"])
    memory = "" if outcome["peak_memory_mb"] is None else f", {outcome['peak_memory_mb']:.0f} MB"
    return f"{outcome['computed_by']}, {timing.median:.1f} ms a frame{memory}"


def memory_lacking(cell: Cell, computing: Computing) -> str | None:
    """Return why a cell does not fit into the memory; None where it may. A GPU tells by itself."""
    available = available_bytes()
    if computing.device != "cpu" or available is None:
        return None
    backend, precision = ("onnxruntime", "fp32") if cell.way == EAGER else ("auto", "auto")
    video = StatedVideo(*size_of(cell.size), "yuv420p")
    need = memory_need(PlannedRun(video, cell.subject.file, backend, precision, threads=computing.threads))
    if NEAREST * need <= available:
        return None
    return f"needs about {need / GB:.1f} GB of memory, {available / GB:.1f} GB are free"
