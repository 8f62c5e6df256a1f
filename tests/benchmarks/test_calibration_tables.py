"""Tables of docs/calibration.md, from rows made up here."""

import pytest

from benchmarks import calibration_tables, report
from benchmarks.calibration_tables import TABLES
from benchmarks.mganet_tables import NOT_MEASURED

HERE = {"machine": "a machine", "git_sha": "abc", "date": "2026-01-31"}
LOSSES = {"fp32": 0.0, "bf16": 0.004, "int8": 0.02}


def write(folder, name, loss_db=0.0, **more):
    """Write one comparison; clip b loses twice as much as clip a, and has too few frames for a PVD."""
    quality = [
        {
            "configuration": "ldp",
            "qp": qp,
            "clip": clip,
            "precision": precision,
            "delta_psnr_db": 0.3 - (lost + loss_db * (precision == "int8")) * (2 if clip == "b" else 1),
            "delta_ssim": 0.001,
            "pvd_db": "" if clip == "b" else 0.5,
            "sd_db": 0.25,
            **HERE,
        }
        for qp in (32, 37)
        for clip in "ab"
        for precision, lost in LOSSES.items()
    ]
    speed = [
        {"size": "416x240", "backend": "openvino", "precision": precision, "ms_per_frame": 10 / ratio} | HERE
        | {"frames_per_s": 100 * ratio, "speedup": ratio}
        for precision, ratio in (("bf16", 1.0), ("int8", 1.2))
    ]  # fmt: skip
    files = [{"file": f"{name}.onnx", "precision": "fp32", "bytes": 2_000_000, **HERE}]
    layers = [{"layer": "conv", "title": "body", "output": "conv", "sqnr_db": 30.0, "windows": 4, **HERE}]
    for kind, rows in (("quality", quality), ("speed", speed), ("files", files), ("layers", layers)):
        report.write_rows(folder / "int8" / name / f"{kind}.csv", rows)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration_tables, "RESULTS", tmp_path)
    return tmp_path


def test_what_is_not_measured_is_said(results):
    assert {table() for table in TABLES.values()} == {NOT_MEASURED}


def test_losses_are_against_float32_in_the_mean_and_on_the_worst_clip(results):
    write(results, "live")
    assert "| ldp | 32 | +0.300 / +10 | +0.294 / +10 | +0.270 / +10 | +0.0060 (+0.0080) | +0.0300 (+0.0400) |" in (
        TABLES["int8_quality"]()
    )
    assert "| live | 2 | +0.0060 (+0.0080) | +0.0300 (+0.0400) | 1.20 (416x240) | 2.00 |" in TABLES["int8_networks"]()
    assert "| ldp | b | +0.040; n/a / 0.25 -> n/a / 0.25 | +0.040; " in TABLES["int8_clips"]()
    assert "2 test clips; a machine; commit abc, 2026-01-31." in TABLES["int8_quality"]()
    assert TABLES["int8_states"]() == NOT_MEASURED


def test_a_quantised_state_stands_beside_one_in_16_bits(results):
    for radius in ("f3", "f5"):
        write(results, f"mganet_{radius}")
        write(results, f"mganet_{radius}_state", loss_db=0.1)
    lines = TABLES["int8_states"]().splitlines()
    assert lines[2] == "| F3 | +0.300 | +0.0300 (+0.0400) | +0.1800 (+0.2400) |"
    assert lines[3].startswith("| F5 |")


def test_the_newest_run_of_each_case_is_shown(results):
    rows = [
        report.row("8 convolutions", f"openvino {precision}", metric, "", report.Timing(ms - 1, ms, ms + 1))
        for date in (2, 1)
        for precision, metric, ms in (
            ("bf16", "time", 9 * date),
            ("int8", "time", 5),
            ("int8", "speedup", 9 * date / 5),
        )
    ]
    report.append_rows(results / "int8_speed.csv", rows)
    assert "| 8 convolutions | 9.00 | 5.00 | 1.80 (0.80 to 2.80) |" in TABLES["int8_speed"]()


def test_what_openvino_does_not_run_says_what_did(results):
    row = {
        "library": "nncf",
        "method": "mixed",
        "placement": "its own",
        "convolutions": 32,
        "tensorrt": "no",
        "bytes": 800_000,
        "windows": 40,
        "mean_loss_db": "1.5",
        "worst_loss_db": "3.1",
        "backend": "openvino",
        "compared_with": "bf16",
        "speedup_416x240": "0.9",
        "seconds": "30.2",
        "versions": "openvino=2 nncf=3",
        **HERE,
    }
    other = {
        **row,
        "library": "other",
        "backend": "onnxruntime",
        "compared_with": "fp32",
        "versions": "openvino=2 other=1",
    }
    report.write_rows(results / "quantisers.csv", [row, other])
    table = TABLES["quantisers"]()
    assert "| nncf, mixed | its own | 32 | +1.5000 (+3.1000) | 0.90 | 0.80 | 30.2 | no |" in table
    assert "| other, mixed | its own | 32 | +1.5000 (+3.1000) | 0.90 (onnxruntime beside fp32) |" in table
    assert table.endswith("40 windows; nncf=3, openvino=2, other=1; a machine; commit abc, 2026-01-31.")


def test_recoveries_show_what_they_lose(results):
    row = {
        "method": "entropy, bias",
        "mean_loss_db": "0.02",
        "worst_loss_db": "0.05",
        "worst_clip": "a",
        "seconds": "9.0",
    }
    report.write_rows(results / "int8_recovery.csv", [{**row, "windows": 40, **HERE}])
    assert "| entropy, bias | +0.0200 (+0.0500) | a | 9.0 |" in TABLES["int8_recovery"]()
