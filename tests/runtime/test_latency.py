import time
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.decoder import open_source
from runtime.latency import Ages, Latency
from runtime.pipeline import Pipeline
from runtime.slots import RingLayout
from tests.media import make_video
from tests.runtime.test_pipeline import SlowSink, WatchfulEngine

N_FRAMES = 30
RATE = 25
TOO_SLOW_S = 0.1  # two and a half frames


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return make_video(tmp_path_factory.mktemp("latency") / "in.mkv", frames=N_FRAMES, rate=RATE, codec="ffv1")


def run(video: Path, latency: Latency, compute_s: float) -> tuple[Pipeline, WatchfulEngine, float]:
    engine, start = WatchfulEngine(radius=1, delay_s=compute_s), time.monotonic()
    with open_source(video) as source:
        pipeline = Pipeline(source, engine, SlowSink(0.0), RingLayout(1, 1), by_scene=False, latency=latency)
        pipeline.run()
    return pipeline, engine, time.monotonic() - start


def test_who_computes_too_slowly_skips_frames_and_keeps_up(video):
    pipeline, engine, elapsed_s = run(video, Latency(0.4, is_paced=True), TOO_SLOW_S)
    n_skipped = pipeline.latency.n_skipped
    assert pipeline.progress.n_written == N_FRAMES
    assert len(engine.windows) == N_FRAMES - n_skipped
    assert 5 <= n_skipped < N_FRAMES  # of 30 frames in 1.2 s it can compute 12
    assert elapsed_s < N_FRAMES * TOO_SLOW_S * 0.8  # all of them would take 3 s


def test_who_is_fast_enough_skips_none(video):
    pipeline, engine, elapsed_s = run(video, Latency(5.0, is_paced=True), 0.0)
    assert (pipeline.latency.n_skipped, len(engine.windows)) == (0, N_FRAMES)
    assert elapsed_s >= (N_FRAMES - 1) / RATE  # at its own pace
    assert sum(pipeline.latency.ages.counts.values()) == N_FRAMES


def test_without_a_budget_no_frame_is_skipped_however_late(video):
    pipeline, engine, _ = run(video, Latency(), 0.01)
    assert (pipeline.latency.n_skipped, len(engine.windows)) == (0, N_FRAMES)


def test_after_a_slow_moment_frames_are_enhanced_again(video):
    latency = Latency(0.5)
    with open_source(video) as source:
        frame = next(iter(source.items()))
    for _ in range(10):
        latency.see_written(replace(frame, arrived_s=time.monotonic()), 1, time.monotonic() - 10.0)
    n_tries = 0
    while latency.skips(replace(frame, arrived_s=time.monotonic())):
        n_tries += 1
        assert n_tries < 100
    assert n_tries > 1


def test_the_wait_for_a_frame_ends_with_the_run(video):
    latency = Latency(is_paced=True)
    with open_source(video) as source:
        first, *_, last = source.items()
    latency.due(first, lambda: False)
    start = time.monotonic()
    latency.due(last, lambda: True)
    assert time.monotonic() - start < 0.5


def test_quantiles_are_those_of_the_ages_counted():
    ages = Ages()
    for age_ms in range(1, 101):
        ages.see(age_ms / 1000 + 0.0005, n_behind=age_ms // 40)
    assert ages.as_dict() == {"median_ms": 50, "p95_ms": 95, "max_ms": 100, "median_frames": 1}
    assert Ages().as_dict()["max_ms"] == 0
    ages.see(1e6, 0)
    assert ages.as_dict()["max_ms"] == 60_000
