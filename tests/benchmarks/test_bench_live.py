"""Latency is told frame by frame, from the frames that count; and a short passage between real processes works."""

import csv

import numpy as np
import pytest

from benchmarks import bench_live
from benchmarks.bench_live import LAST_S, WARM_UP_S, BenchConfig, Passage, Way, ways

RATE = 25


def made_up(n_frames: int, age_s: float, lost: tuple[int, ...] = (), summary=None) -> Passage:
    handed_s = [1000 + number / RATE for number in range(n_frames)]
    seen = [(number, handed_s[number] + age_s) for number in range(n_frames) if number not in lost]
    return Passage(handed_s, seen, summary or {})


def test_the_first_and_the_last_frames_do_not_count():
    passage = made_up(200, age_s=0.1)
    assert passage.counted[0] == pytest.approx((WARM_UP_S + 0.1) * RATE, abs=1)
    assert passage.counted[-1] == pytest.approx(199 - LAST_S * RATE, abs=1)


def test_ages_and_losses_are_those_of_the_frames_that_count():
    figures = {(metric, unit): value for metric, unit, value in made_up(200, 0.1, lost=(3, 100, 101)).figures()}
    assert figures["median", "ms"] == pytest.approx(100)
    assert figures["median", "frames"] == pytest.approx(2.5)
    assert figures["longest", "ms"] == pytest.approx(100)
    n_counted = len(made_up(200, 0.1).counted)
    assert figures["lost", "share"] == pytest.approx(2 / n_counted)


def test_what_stream_py_says_is_told_beside_what_was_seen():
    summary = {"latency": {"median_ms": 80}, "frames_skipped": 20, "frames_in": 200}
    figures = {(metric, unit): value for metric, unit, value in made_up(200, 0.1, summary=summary).figures()}
    assert figures["not enhanced", "share"] == 0.1
    assert figures["median by stream.py's own count", "ms"] == 80


def test_pictures_that_cannot_be_told_are_lost():
    passage = made_up(200, 0.1)
    passage.seen[100] = (None, passage.seen[100][1])
    assert len(passage.ages_ms) == len(passage.counted) - 1


@pytest.mark.slow
def test_frames_pass_between_real_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_live, "ways", lambda config: ways(config)[:2])
    output = tmp_path / "rows.csv"
    assert bench_live.main(["--sizes", "128x96", "--seconds", "1", "--rounds", "1", "--output", str(output)]) == 0
    rows = list(csv.DictReader(output.open()))
    median_ms = {
        row["provider"]: float(row["median"]) for row in rows if row["metric"] == "median" and row["unit"] == "ms"
    }
    assert 0 < median_ms["sender to receiver"] < median_ms["through stream.py"]
    assert np.allclose([float(row["median"]) for row in rows if row["metric"] == "lost"], 0, atol=0.5)


def test_ways_differ_by_their_options_alone():
    assert [way.options is None for way in ways(BenchConfig())] == [True, False, False, False]
    assert all(isinstance(way, Way) and way.name for way in ways(BenchConfig()))
