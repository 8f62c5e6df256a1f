from contextlib import nullcontext
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.stream_speed import made_up_frames, measure_stream
from cvqe.errors import ModelError
from cvqe.neighbors import LOW_DELAY
from runtime.engine import EngineRequest, Enhanced, open_engine
from runtime.fixed_grid import fixed_grid_map
from runtime.model_file import find_model
from runtime.streaming import HostStreaming


def test_every_frame_behind_the_warm_up_is_counted():
    frames = made_up_frames(3, 24, 32)
    engine = open_engine(EngineRequest(find_model("live"), 24, 32, precision="fp32"), "onnxruntime").engine
    speed = measure_stream(engine, 3, frames, n_frames=9, qp=35.0, warm_up=2)
    assert speed.frames_per_s > 0
    assert 0 < speed.latency_ms.p20 <= speed.latency_ms.median <= speed.latency_ms.p80 <= speed.p99_ms


def test_every_target_gets_its_own_guide():
    class Guided:
        backend, precision, device = "guided", "fp32", "CPU"
        seen: ClassVar = []

        def enhance(self, frames, qp=None, guide=None):
            self.seen.append((frames[1].copy(), guide))
            return Enhanced(frames[1], True)

    frames = made_up_frames(3, 24, 32)
    measure_stream(Guided(), 1, frames, n_frames=6, qp=None, warm_up=1, takes_guide=True, neighbors=LOW_DELAY)
    assert len(Guided.seen) == 7
    for target, guide in Guided.seen:
        np.testing.assert_array_equal(guide, fixed_grid_map(target))


def test_frames_move_and_are_not_alike():
    first, second = made_up_frames(2, 24, 32)
    assert first.dtype == np.uint8 and (first != second).mean() > 0.5


class Watched(HostStreaming):
    """An engine whose slots say when they are closed."""

    def __init__(self, engine, events):
        super().__init__(engine, (8, 8))
        self._events = events

    def open_slots(self, layout):
        slots = super().open_slots(layout)
        slots.close = lambda: self._events.append("closed")
        return slots


@pytest.mark.parametrize("is_finite, events", [(True, ["at the end", "closed"]), (False, ["closed"])])
def test_slots_are_open_at_the_end_and_closed_whatever_happens(is_finite, events):
    class Copying:
        backend, precision, device = "copying", "fp32", "CPU"

        def enhance(self, frames, qp=None, guide=None):
            return Enhanced(frames[1], is_finite)

    seen = []
    engine, frames = Watched(Copying(), seen), made_up_frames(2, 8, 8)
    with nullcontext() if is_finite else pytest.raises(ModelError):
        measure_stream(engine, 1, frames, n_frames=4, qp=None, warm_up=1, at_end=lambda: seen.append("at the end"))
    assert seen == events


def test_a_network_that_breaks_down_is_not_timed():
    class Broken:
        backend, precision, device = "broken", "fp32", "CPU"

        def enhance(self, frames, qp=None, guide=None):
            return Enhanced(frames[1], False)

    with pytest.raises(ModelError, match="broken gives NaN"):
        measure_stream(Broken(), 1, made_up_frames(2, 8, 8), n_frames=4, qp=None, warm_up=1)
