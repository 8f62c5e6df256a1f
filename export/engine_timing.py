"""How fast an engine is here: loaded, warmed up, timed and profiled as trtexec does it."""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cvqe.engine_manifest import Shape
from cvqe.manifest import WINDOW
from export.engine_options import TimingOptions
from export.engine_profile import timed_shapes
from export.engine_runner import EngineRunner, open_runner
from export.layer_report import engine_layers
from export.timing_statistics import InferenceTimes, LayerTime, TimingReport, report_of
from plugins.tensorrt_modules import load_tensorrt, tensorrt_version
from runtime.cuda.driver import Cuda
from runtime.engine_file import EngineFile
from runtime.tensorrt_engine import LoadedEngine

log = logging.getLogger(__name__)
N_PROFILED = 20


@dataclass(frozen=True)
class Timed:
    """A timed engine: every inference, what is told of them, the time of each layer, and the layers themselves."""

    times: tuple[InferenceTimes, ...]
    report: TimingReport
    profile: tuple[LayerTime, ...]
    layers: dict[str, Any] | None


def time_engine(
    file: EngineFile,
    cuda: Cuda,
    shapes: dict[str, Shape],
    options: TimingOptions,
    wants_profile: bool = False,
    wants_layers: bool = False,
    plugins: Sequence[Path] = (),
) -> Timed:
    """Run an engine on the GPU with made-up frames and time it.

    Args:
        shapes: of the inputs that are not to be timed at the shape the engine is fast for.
        wants_profile: time each layer too, in runs of their own.
        wants_layers: ask the engine for its layers.
        plugins: libraries of the user's own that the engine needs.

    Raises:
        BackendError: it is for another library, version or GPU, or does not run.
        UsageError: it does not take these shapes, or a library of plugins does not load.
    """
    chosen = timed_shapes(file.manifest.profile, shapes)
    trt = load_tensorrt(file.manifest.library)
    height, width = chosen[WINDOW][2:4]
    file.check(file.manifest.library, tensorrt_version(trt), cuda.device.compute_capability, height, width)
    with closing(LoadedEngine(trt, file, plugins)) as loaded:
        layers = engine_layers(trt, loaded.engine) if wants_layers else None
        with open_runner(trt, cuda, loaded, chosen, options.use_cuda_graph) as runner:
            log.info("warming up %g ms, timing at least %g s", options.warm_up_ms, options.duration_s)
            time_inferences(runner, 0, options.warm_up_ms / 1000)
            times, wall_s = time_inferences(runner, options.iterations, options.duration_s)
            profile = _profile(trt, runner) if wants_profile else ()
    return Timed(tuple(times), report_of(times, wall_s), profile, layers)


def time_inferences(runner: EngineRunner, iterations: int, duration_s: float) -> tuple[list[InferenceTimes], float]:
    """Run at least so many inferences for at least so long, one enqueued ahead.

    Returns:
        the times of each, in order, and the seconds from the first begun to the last done by the host's clock.
    """
    times: list[InferenceTimes] = []
    slots = runner.slots
    runner.begin()
    start, n = time.perf_counter(), 0
    while n < iterations or time.perf_counter() - start < duration_s:
        slot = slots[n % len(slots)]
        if slot.is_running:
            times.append(slot.finished(runner.origin))
        slot.enqueue()
        n += 1
    oldest_first = (slots[(n + place) % len(slots)] for place in range(len(slots)))
    times += [slot.finished(runner.origin) for slot in oldest_first if slot.is_running]
    return times, time.perf_counter() - start


def _profile(trt: ModuleType, runner: EngineRunner) -> tuple[LayerTime, ...]:
    """Time every layer of a few inferences, one after the other: a profiler makes all of them slower."""
    profiler = _create_profiler(trt)
    runner.loaded.context.profiler = profiler
    for _ in range(N_PROFILED):
        runner.run_alone()
    return tuple(LayerTime(name, tuple(times)) for name, times in profiler.times.items())


def _create_profiler(trt: ModuleType) -> Any:
    base: Any = trt.IProfiler

    class LayerProfiler(base):
        """Keeps every layer's times in the order in which layers first ran."""

        def __init__(self) -> None:
            base.__init__(self)
            self.times: dict[str, list[float]] = {}

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            """Take one time; TensorRT calls it."""
            self.times.setdefault(layer_name, []).append(ms)

    return LayerProfiler()
