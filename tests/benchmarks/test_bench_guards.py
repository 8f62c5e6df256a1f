"""What guards cost is compared run by run, and every guard has its rows."""

import csv
import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import bench_guards, guard_parts
from benchmarks.bench_guards import ALL, NONE, UNSEGMENTED, Run, stream_rows, timed
from benchmarks.guard_parts import thread_ms, without_check
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import find_model

WHOLE = Run(elapsed_s=10.2, processor_s=20.4, segments_s=0.02, read_back_s=0.05, size_bytes=1010)


def test_guards_are_what_a_run_takes_longer_than_the_one_beside_it():
    slow = replace(WHOLE, elapsed_s=20.4, processor_s=40.8)  # the machine was busy in the second round
    plain, slow_plain = (replace(run, elapsed_s=run.elapsed_s / 1.02, size_bytes=1000) for run in (WHOLE, slow))
    runs = {ALL: [WHOLE, slow], UNSEGMENTED: [plain, slow_plain], NONE: [plain, slow_plain]}
    rows = {(row.provider, row.metric, row.unit): row.median for row in stream_rows("64x48", runs, 100)}
    assert rows["all guards, in pairs", "time", "share"] == pytest.approx(0.02)
    assert rows["all guards, in pairs", "processors", "share"] == 0
    assert rows["segments, in pairs", "file size", "share"] == pytest.approx(0.01)
    assert rows["stream", "time", "ms/frame"] == 102
    assert rows["read back", "time", "ms/frame"] == 0.5


def test_calls_are_timed_and_what_was_there_comes_back():
    class Place:
        def double(self, number):
            return 2 * number

    with timed(Place, "double", time.perf_counter) as spent:
        assert [Place().double(number) for number in (1, 2)] == [2, 4]
    assert Place().double(3) == 6
    assert len(spent) == 2 and min(spent) >= 0


def test_what_comes_before_the_first_item_is_not_counted():
    def items():
        sum(range(10**6))  # takes milliseconds
        yield from range(100)

    assert thread_ms(items()) < 0.01


def test_without_its_check_a_network_gives_the_same_pixels():
    model = find_model("live")
    window = np.random.default_rng(0).integers(0, 256, (model.manifest.window_frames, 16, 24), np.uint8)
    request = EngineRequest(model, 16, 24, precision="fp32")
    with_it, without = (open_engine(each).engine for each in (request, replace(request, model=without_check(model))))
    np.testing.assert_array_equal(with_it.enhance(window, 37).luma, without.enhance(window, 37).luma)


@pytest.mark.slow
def test_every_guard_has_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(guard_parts, "N_FRAMES", 16)
    output = tmp_path / "rows.csv"
    assert bench_guards.main(["--sizes", "64x48", "--frames", "32", "--rounds", "1", "--output", str(output)]) == 0
    guards = {row["provider"] for row in csv.DictReader(output.open())}
    assert guards >= {"stream", "scene cuts", "segments written", "read back", "check for NaN", "all guards, in pairs"}
