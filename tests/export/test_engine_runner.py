"""Engines under the clock: the order of copies, kernels and events, with a driver that only notes what it is asked."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from cvqe.engine_manifest import ShapeRange
from cvqe.errors import BackendError, ModelError, UsageError
from export import engine_timing
from export.engine_options import TimingOptions
from export.engine_runner import open_runner
from export.engine_timing import time_engine, time_inferences
from plugins.deform_conv.callback_errors import keep_error
from runtime.cuda.driver import Device
from runtime.cuda.pinned_memory import PinnedMemory
from runtime.engine_file import load_engine_file
from runtime.tensorrt_engine import LoadedEngine
from tests.engines import save_engine
from tests.simulated_tensorrt import simulated_tensorrt

SHAPE = (1, 7, 8, 8)


class NotingCuda:
    """Takes every call of the driver; time stands still except for copies, 1 ms each, and the network, 3 ms."""

    def __init__(self):
        self.device = Device(0, "a GPU", 89, 1 << 30, (13, 0))
        self.handles = itertools.count(1)
        self.calls, self.alive, self.memory = [], set(), {}
        self.clock_ms, self.marks, self.graphs = 0.0, {}, {}

    def _create(self, kind):
        handle = next(self.handles)
        self.alive.add(handle)
        self.calls.append((f"create_{kind}", handle))
        return handle

    def _destroy(self, handle):
        self.alive.remove(handle)

    def create_stream(self):
        return self._create("stream")

    def create_event(self, is_timed=False):
        assert is_timed
        return self._create("event")

    def allocate(self, size_bytes):
        return self._create("memory")

    def allocate_pinned(self, size_bytes):
        held = np.zeros(max(size_bytes, 1), np.uint8)
        memory = PinnedMemory(held.ctypes.data, size_bytes)
        self.memory[memory.address] = held
        return memory

    def free_pinned(self, memory):
        del self.memory[memory.address]

    destroy_stream = destroy_event = free = _destroy

    def destroy_graph(self, graph):
        del self.graphs[graph]

    def record(self, event, stream):
        assert event in self.alive
        self.marks[event] = self.clock_ms
        self.calls.append(("record", event))

    def wait_event(self, stream, event):
        self.calls.append(("wait", stream, event))

    def copy_to_device(self, target, source, size_bytes, stream):
        assert source in self.memory
        self.clock_ms += 1
        self.calls.append(("h2d", size_bytes, stream))

    def copy_to_host(self, target, source, size_bytes, stream):
        assert target in self.memory
        self.clock_ms += 1
        self.calls.append(("d2h", size_bytes, stream))

    def synchronize_stream(self, stream):
        self.calls.append(("synchronize", stream))

    def synchronize_event(self, event):
        self.calls.append(("synchronize", event))

    def synchronize(self):
        self.calls.append(("synchronize", "all"))

    def elapsed_ms(self, start, end):
        return self.marks[end] - self.marks[start]

    def capture(self, stream, work):
        before = self.clock_ms
        work()
        self.clock_ms = before  # nothing runs while it is recorded
        graph = next(self.handles)
        self.graphs[graph] = stream
        return graph

    def launch(self, graph, stream):
        assert self.graphs[graph] == stream
        self.clock_ms += 3
        self.calls.append(("launch", graph))


class NotingContext:
    def __init__(self, cuda):
        self.cuda, self.shapes, self.addresses, self.runs = cuda, {}, {}, True
        self.profiler, self.refused = None, None

    def set_input_shape(self, name, shape):
        self.shapes[name] = shape
        return shape != (9,)

    def get_tensor_shape(self, name):
        return self.shapes.get(name, ())

    def set_tensor_address(self, name, address):
        assert address in self.cuda.alive
        self.addresses[name] = address
        return address != self.refused

    def execute_async_v3(self, stream):
        assert set(self.addresses) == {"window", "enhanced_mean"}
        self.cuda.clock_ms += 3
        self.cuda.calls.append(("execute", stream))
        if self.profiler:
            self.profiler.report_layer_time("conv", 2.0)
            self.profiler.report_layer_time("dcn", 1.0)
        return self.runs


class NotingEngine:
    num_io_tensors = 2

    def __init__(self, cuda):
        self.context = NotingContext(cuda)

    def create_execution_context(self):
        return self.context

    def get_tensor_name(self, index):
        return ("window", "enhanced_mean")[index]

    def get_tensor_dtype(self, name):
        return {"window": np.uint8, "enhanced_mean": np.float32}[name]

    def get_tensor_mode(self, name):
        return "in" if name == "window" else "out"


@pytest.fixture
def cuda():
    return NotingCuda()


@pytest.fixture
def trt(cuda):
    return simulated_tensorrt(NotingEngine(cuda))


@pytest.fixture
def file(tmp_path):
    profile = {"window": ShapeRange((1, 7, 4, 4), SHAPE, (1, 7, 16, 16))}
    save_engine(tmp_path / "m.engine", profile=profile, plugin_sha256=None)
    return load_engine_file(tmp_path / "m.engine")


@pytest.fixture
def loaded(trt, file):
    return LoadedEngine(trt, file)


def test_everything_taken_is_given_back_after_the_gpu_is_done(trt, cuda, loaded):
    with open_runner(trt, cuda, loaded, {"window": SHAPE}, use_cuda_graph=True) as runner:
        time_inferences(runner, 5, 0)
        assert cuda.alive and cuda.memory and len(cuda.graphs) == 2
    assert (cuda.alive, cuda.memory, cuda.graphs) == (set(), {}, {})
    assert cuda.calls[-1] == ("synchronize", "all")


@pytest.mark.parametrize("use_cuda_graph", [False, True])
def test_every_inference_is_timed_once_and_in_order(trt, cuda, loaded, use_cuda_graph):
    with open_runner(trt, cuda, loaded, {"window": SHAPE}, use_cuda_graph) as runner:
        times, wall_s = time_inferences(runner, 7, 0)
    assert len(times) == 7
    assert wall_s > 0
    starts = [each.start_h2d_ms for each in times]
    assert starts == sorted(starts) and starts[0] == 0
    assert {(each.h2d_ms, each.compute_ms, each.d2h_ms) for each in times} == {(1.0, 3.0, 1.0)}


def test_the_parts_of_an_inference_wait_for_each_other(trt, cuda, loaded):
    with open_runner(trt, cuda, loaded, {"window": SHAPE}) as runner:
        cuda.calls.clear()
        time_inferences(runner, 1, 0)
        streams = runner.streams
        kinds = [call[0] for call in cuda.calls if call[0] != "record"]
        assert kinds == ["h2d", "wait", "execute", "wait", "d2h", "synchronize"]
        waiting = [call[1] for call in cuda.calls if call[0] == "wait"]
        assert waiting == [streams.compute, streams.d2h]
        assert ("h2d", 7 * 64, streams.h2d) in cuda.calls
        assert ("d2h", 4, streams.d2h) in cuda.calls


def test_one_inference_is_enqueued_while_another_runs(trt, cuda, loaded):
    with open_runner(trt, cuda, loaded, {"window": SHAPE}) as runner:
        cuda.calls.clear()
        time_inferences(runner, 4, 0)
    kinds = [call[0] for call in cuda.calls if call[0] in ("execute", "synchronize")][:4]
    assert kinds == ["execute", "execute", "synchronize", "execute"]


def test_a_context_that_refuses_is_told(trt, cuda, loaded):
    with pytest.raises(BackendError, match="does not take window"), open_runner(trt, cuda, loaded, {"window": (9,)}):
        pass
    loaded.context.runs = False
    with pytest.raises(BackendError, match="does not run"), open_runner(trt, cuda, loaded, {"window": SHAPE}):
        pass
    assert cuda.alive == set()


def test_a_plugin_that_fails_while_it_is_timed_is_told_in_its_own_words(trt, cuda, loaded):
    with open_runner(trt, cuda, loaded, {"window": SHAPE}) as runner:
        keep_error(ModelError("no kernel for 12.0"), "dcn")
        with pytest.raises(BackendError, match=r"node dcn: no kernel for 12\.0"):
            time_inferences(runner, 1, 0)


def test_an_address_that_is_refused_is_told(trt, cuda, loaded):
    with open_runner(trt, cuda, loaded, {"window": SHAPE}) as runner:
        loaded.context.refused = loaded.context.addresses["window"]
        with pytest.raises(BackendError, match="refuses the address of window"):
            runner.slots[-1].execute()


@pytest.fixture
def noting_library(monkeypatch, trt):
    monkeypatch.setattr(engine_timing, "load_tensorrt", lambda library: trt)
    monkeypatch.setattr(engine_timing, "tensorrt_version", lambda trt: "1.7.1.116")
    monkeypatch.setattr(engine_timing, "engine_layers", lambda trt, engine: {"Layers": ["conv"]})


def test_an_engine_is_timed_profiled_and_listed(file, cuda, noting_library):
    options = TimingOptions(iterations=3, warm_up_ms=0, duration_s=0)
    timed = time_engine(file, cuda, {"window": (1, 7, 16, 16)}, options, wants_profile=True, wants_layers=True)
    assert timed.report.n_inferences == len(timed.times) == 3
    assert timed.report.compute.median == 3.0
    assert [(layer.name, set(layer.times_ms)) for layer in timed.profile] == [("conv", {2.0}), ("dcn", {1.0})]
    assert timed.layers == {"Layers": ["conv"]}


def test_an_engine_that_does_not_fit_is_not_timed(file, cuda, noting_library, monkeypatch):
    with pytest.raises(UsageError, match="can't be timed"):
        time_engine(file, cuda, {"window": (1, 7, 64, 64)}, TimingOptions())
    cuda.device = Device(0, "a GPU", 120, 1 << 30, (13, 0))
    with pytest.raises(BackendError, match=r"the GPU here has 12\.0"):
        time_engine(file, cuda, {}, TimingOptions())
    assert Path(file.path).exists()
