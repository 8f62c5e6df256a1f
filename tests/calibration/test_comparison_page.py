"""Tables say what was measured: gains, losses against float32, the worst clip."""

import pytest

from calibration.comparison_chart import comparison_figure
from calibration.comparison_page import comparison_page, losses_db, precisions, qps_table, speed_table

GAINS = {("a", "fp32"): 0.3, ("a", "bf16"): 0.29, ("a", "int8"): 0.26, ("b", "fp32"): 0.2, ("b", "int8"): 0.19}
QUALITY = [
    {
        "configuration": "ldp",
        "qp": 37,
        "clip": clip,
        "precision": precision,
        "delta_psnr_db": f"{gain:.4f}",
        "delta_ssim": "0.001",
        "pvd_db": "" if clip == "b" else "0.5",
        "sd_db": "0.25",
    }
    for (clip, precision), gain in GAINS.items()
]
SPEED = {"size": "416x240", "backend": "openvino", "precision": "int8", "ms_per_frame": "8.0"}
FILES = [{"file": "live_int8.onnx", "precision": "int8", "bytes": 1_234_567}]


def test_the_mean_loss_and_the_worst_clip_are_against_float32():
    assert precisions(QUALITY) == ["fp32", "bf16", "int8"]
    (line,) = qps_table(QUALITY).splitlines()[2:]
    assert line == "| ldp | 37 | +0.250 / +10 | +0.290 / +10 | +0.225 / +10 | +0.0100 (+0.0100) | +0.0250 (+0.0400) |"


def test_a_clip_without_float32_is_not_compared():
    rows = [row for row in QUALITY if (row["clip"], row["precision"]) != ("b", "fp32")]
    assert list(losses_db(rows, "int8")) == ["a"]


def test_the_page_holds_every_table():
    speed = [{**SPEED, "frames_per_s": "125.0", "speedup": "1.2"}]
    page = comparison_page(QUALITY, [{"title": "conv", "sqnr_db": "20.04"}], speed, FILES)
    for words in (
        "| ldp | 37 | b | +0.200 / +10; n/a / 0.25 |  | +0.190 / +10; n/a / 0.25 |",
        "| 416x240 | openvino int8 | 8.00 | 125.0 | 1.20 |",
        "| live_int8.onnx | int8 | 1.23 |",
        "| conv | 20.0 |",
        "](comparison.png)",
    ):
        assert words in page


def test_a_speed_that_was_not_measured_is_said():
    assert speed_table([]) == "not measured"


def test_a_qp_at_which_nothing_was_compared_is_not_drawn():
    pytest.importorskip("matplotlib")
    ended_early = [{**row, "qp": 32} for row in QUALITY if row["precision"] == "fp32"]
    figure = comparison_figure([*QUALITY, *ended_early], [{"title": "second", "sqnr_db": "30.0"}])
    assert [*figure.axes[0].lines[0].get_xdata()] == [37]
