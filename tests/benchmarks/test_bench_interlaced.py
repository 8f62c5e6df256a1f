"""Interlaced video is made of two moments a frame, and its gain is measured both ways."""

import csv

import numpy as np

from benchmarks import bench_interlaced
from benchmarks.bench_interlaced import interlaced
from tests.media import make_video


def test_rows_come_in_turn_from_two_moments():
    luma = np.repeat(np.arange(5, dtype=np.uint8), 10 * 3).reshape(5, 10, 3)
    woven = interlaced(luma)
    assert woven.shape == (2, 8, 3)  # an odd frame is left over, and rows that x264 could not take
    assert woven[:, :, 0].tolist() == [4 * [0, 1], 4 * [2, 3]]


def test_every_clip_has_a_row_for_both_ways_and_so_has_their_mean(tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    make_video(clips / "clip.mkv", codec="ffv1", frames=6)
    output = tmp_path / "rows.csv"
    assert bench_interlaced.main([str(clips), "--output", str(output)]) == 0
    rows = list(csv.DictReader(output.open()))
    ways = ["live, field by field", "live, whole frames"]
    assert [(row["case"], row["provider"]) for row in rows] == [
        (case, way) for case in ("clip, 3 frames", "mean of 1 clips") for way in ways
    ]
