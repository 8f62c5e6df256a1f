"""Tables and curves of MGANet's studies, from rows made up here."""

import pytest

from benchmarks import make_curves, mganet_tables, report
from benchmarks.mganet_tables import CODINGS, FUSIONS, NOT_MEASURED

HERE = {
    "computed_by": "torch-cpu fp32",
    "machine": "a machine",
    "git_sha": "abc",
    "date": "2026-01-31",
    "training_s": "600",
}
BUDGET = {"steps": 9, "batch": 2, "patch_px": 32, "seed": 0, "n_clips": 2, "frames": 3, "radius": 1}
NETWORK = {"parameters": 1234567, "gmacs_416x240": "1.250"}


def write(folder, gains):
    """Write the three files; gains by (variant, guide, QP), in all-intra 0.5 dB more."""
    means, clips, frames = [], [], []
    for coding in CODINGS:
        for (variant, guide, qp), value in gains.items():
            own = value + 0.5 * (coding == "ai-tu3")
            place = {"variant": variant, "coding": coding, "guide": guide, "qp": qp}
            means.append({**place, "gain_db": own, **BUDGET, **NETWORK, **HERE})
            clips += [{**place, "clip": clip, "gain_db": own + more} for clip, more in (("a", 0), ("b", 0.01))]
            frames += [{**place, "clip": "a", "frame": number, "gain_db": own} for number in range(3)]
    for ending, rows in (("", means), ("_clips", clips), ("_frames", frames)):
        report.write_rows(folder / f"mganet_studies{ending}.csv", rows)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(mganet_tables, "RESULTS", tmp_path)
    return tmp_path


GAINS = {
    ("f3", "units", 37): 0.2,
    ("f3", "units", 36): 0.1,
    ("f3", "grid", 37): 0.15,
    ("f3-unguided", "", 37): 0.18,
    ("f5-slow", "units", 37): 0.3,
}


def test_tables_put_every_variant_in_its_place(results):
    write(results, GAINS)
    fusion = mganet_tables.fusion_table().splitlines()
    assert [line.split(" | ")[0] for line in fusion[2:6]] == [f"| {name}" for name in FUSIONS]
    assert fusion[3] == "| slow fusion |  | +0.947 | +0.800 | +0.873 |  | +0.367 | +0.300 | +0.304 |"
    assert fusion[5] == "| BRCLSTM | +0.700 | +1.005 |  | +1.112 | +0.200 | +0.404 |  | +0.411 |"
    assert "9 steps of 2 patches of 32 px, seed 0, 10 to 10 minutes each" in fusion[-1]
    guide = mganet_tables.guide_table().splitlines()
    assert guide[2:] == [
        "| transform units | +0.700 | +0.200 | 1.250 |",
        "| the same network, given a fixed 16x16 grid | +0.650 | +0.150 | 1.250 |",
        "| a network without a guide | +0.680 | +0.180 | 1.250 |",
        "| clips on which units beat no guide | 2 of 2 | 2 of 2 |  |",
    ]
    assert mganet_tables.radius_table().splitlines()[2:] == ["| F3 | +0.700 | +0.200 | 1.250 | 1,234,567 |"]
    assert mganet_tables.robustness_table().splitlines()[2:] == ["| 36 | +0.600 | +0.100 |", "| 37 | +0.700 | +0.200 |"]


def test_what_is_not_measured_says_so(results):
    assert {table() for table in mganet_tables.TABLES.values()} == {NOT_MEASURED}
    assert make_curves.main() == 3


def test_what_is_measured_in_part_leaves_cells_empty(results):
    write(results, {("f3", "units", 37): 0.2})
    assert "| a network without a guide |  |  |  |" in mganet_tables.guide_table()


def test_curves_are_drawn(results, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(make_curves, "PLOTS", tmp_path / "plots")
    write(results, GAINS)
    assert make_curves.main() == 0
    for name in ("mganet_frames", "mganet_qps"):
        assert (tmp_path / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "plots/mganet_frames.png" in mganet_tables.curves()
