"""An evaluation as it is typed, on clips whose errors are known."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.evaluation.examples import brightening_model, clean_planes, darker, write_luma
from training import evaluate

ROOT = Path(__file__).resolve().parents[2]
PLANES = {name: clean_planes(n_frames=5, seed=seed) for seed, name in enumerate("ab")}
WRONG = {27: [1, 1, 1, 1, 1], 32: [2, 1, 2, 1, 2], 37: [4, 2, 4, 2, 4], 42: [8, 4, 8, 4, 8]}  # levels, a number a frame
ON_ONE_CORE = ["--backend", "onnxruntime", "--threads", "1", "--no-plots"]


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, planes in PLANES.items():
        write_luma(tmp_path / "clips" / f"{name}.mkv", planes)
        for qp, levels in WRONG.items():
            write_luma(tmp_path / "coded" / f"ldp_qp{qp}" / f"{name}.mkv", darker(planes, levels))
    brightening_model(tmp_path / "net.onnx", 2)
    return tmp_path


def run(folder: Path, *options: object) -> int:
    words = [folder / "clips", "--coded", folder / "coded", "--output", folder / "out", *ON_ONE_CORE, *options]
    return evaluate.main([str(word) for word in words])


def rows(folder: Path, name: str = "results") -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "out" / f"{name}.csv").open()))


def db(levels: float) -> float:
    return min(float(20 * np.log10(255 / levels)), 100.0) if levels else 100.0


def test_gains_are_those_worked_out_by_hand(folder, capsys):
    assert run(folder, "--model", folder / "net.onnx", "--qp", 27, 37) == 0
    assert capsys.readouterr().out == f"{folder / 'out' / 'tables.md'}\n"
    by_qp = {row["qp"]: row for row in rows(folder) if row["clip"] == "a"}
    for qp, levels in ((27, WRONG[27]), (37, WRONG[37])):
        before, after = (np.mean([db(abs(level - add)) for level in levels]) for add in (0, 2))
        assert float(by_qp[str(qp)]["psnr_db_decoded"]) == pytest.approx(before, abs=1e-4)
        assert float(by_qp[str(qp)]["delta_psnr_db"]) == pytest.approx(after - before, abs=1e-4)
    # of 4 2 4 2 4 wrong levels: peaks at 1 and 3, 6.02 dB high; made brighter by 2: 42.1 and 100 dB
    assert by_qp["37"]["pvd_db_decoded"] == "6.0206"
    assert float(by_qp["37"]["pvd_db"]) == pytest.approx(100 - db(2), abs=1e-4)
    assert by_qp["37"]["subject"] == "net onnxruntime fp32"
    assert [row["psnr_db"] for row in rows(folder, "frames") if row["qp"] == "37"][:2] == [f"{db(2):.4f}", "100.0000"]
    assert "| ldp, QP 37 | 2 |" in (folder / "out" / "tables.md").read_text()


def test_four_qps_make_a_bd_rate(folder):
    assert run(folder, "--model", folder / "net.onnx", "--qp", 27, 32, 37, 42, "--only", "a", "--frames", 1) == 0
    (row,) = rows(folder, "bd_rate")
    assert row["qps"] == "27 32 37 42"
    assert {row["first_frames"] for row in rows(folder)} == {"1"}
    assert "# First 1 frames" in (folder / "out" / "tables.md").read_text()


def test_what_was_measured_is_kept_until_the_network_changes(folder, capsys):
    command = ["--model", folder / "net.onnx", "--qp", 37]
    run(folder, *command)
    assert "4 to go" in capsys.readouterr().err
    kept = rows(folder)
    run(folder, *command, "--peer", "deblock")
    assert "4 measured before, 2 to go" in capsys.readouterr().err
    assert [row for row in rows(folder) if row["subject"] != "deblock"] == kept
    brightening_model(folder / "net.onnx", 3)
    run(folder, *command)
    assert "2 measured before, 2 to go" in capsys.readouterr().err
    changed = [row for row in rows(folder) if row["subject"] != "deblock"]
    assert changed[0]["sha256"] != kept[0]["sha256"] and changed[0]["psnr_db"] != kept[0]["psnr_db"]
    assert len(rows(folder)) == 4


def test_a_run_that_failed_keeps_what_was_measured_and_goes_on(folder, capsys):
    whole = (folder / "coded" / "ldp_qp37" / "b.mkv").read_bytes()
    write_luma(folder / "coded" / "ldp_qp37" / "b.mkv", PLANES["b"][:4])
    command = ["--model", folder / "net.onnx", "--qp", 37]
    assert run(folder, *command) == 3
    assert "b.mkv ends after 4 frames" in capsys.readouterr().err
    assert [row["clip"] for row in rows(folder)] == ["a"]
    (folder / "coded" / "ldp_qp37" / "b.mkv").write_bytes(whole)
    assert run(folder, *command) == 0
    assert "2 measured before, 2 to go" in capsys.readouterr().err
    assert [row["clip"] for row in rows(folder)] == ["a", "b"]


def test_results_of_files_that_have_changed_are_left_out(folder, capsys):
    run(folder, "--model", folder / "net.onnx", "--qp", 37)
    write_luma(folder / "coded" / "ldp_qp37" / "a.mkv", darker(PLANES["a"], [3] * 5))
    assert run(folder, "--peer", "deblock", "--qp", 37) == 0
    assert "1 measurements are left out" in capsys.readouterr().err
    assert [(row["clip"], row["subject"]) for row in rows(folder)] == [
        ("a", "deblock"),
        ("b", "net onnxruntime fp32"),
        ("b", "deblock"),
    ]


def test_three_files_are_compared(folder, capsys):
    better = write_luma(folder / "better.mkv", darker(PLANES["a"], [2, 1, 2, 1, 2]))
    words = [folder / "clips" / "a.mkv", "--coded", folder / "coded" / "ldp_qp37" / "a.mkv", "--pair", better]
    assert evaluate.main([str(word) for word in [*words, "--output", folder / "out", "--no-plots"]]) == 0
    (row,) = rows(folder)
    assert (row["subject"], row["configuration"], row["qp"], row["delta_psnr_db"]) == ("better", "file", "", "6.0206")
    assert "| file | 1 |" in (folder / "out" / "tables.md").read_text()


def test_options_that_make_no_sense_are_refused(folder, capsys):
    net = folder / "net.onnx"
    for options, message in (
        (["--qp", 37], "nothing to evaluate"),
        (["--model", net, "--frames", 0], "--frames 0 would measure nothing"),
        (["--model", net, "--workers", 0], "--workers 0 is too few"),
        (["--model", net, "--qp", 99], "ldp_qp99"),
    ):
        assert run(folder, *options) in (2, 3)
        assert message in capsys.readouterr().err
    assert not (folder / "out" / "results.csv").exists()


def test_an_onnx_network_is_evaluated_without_torch(folder):
    """In a Python of its own: this one has torch in it."""
    words = [folder / "clips", "--coded", folder / "coded", "--output", folder / "out", "--qp", 37, *ON_ONE_CORE]
    start = "import runpy, sys; sys.modules['torch'] = None; runpy.run_module('training.evaluate', run_name='__main__')"
    command = [sys.executable, "-c", start, *words, "--model", folder / "net.onnx", "--only", "a"]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, len(rows(folder))) == (0, 1), done.stderr


@pytest.mark.slow
def test_several_workers_measure_the_same(folder):
    """Slow: each worker imports everything anew."""
    command = ["--model", folder / "net.onnx", "--qp", 27, 37]
    assert run(folder, *command, "--workers", 2) == 0
    timeless = [{key: row[key] for key in row if key not in ("ms_per_frame", "command")} for row in rows(folder)]
    again = folder / "again"
    again.mkdir()
    for name in ("clips", "coded", "net.onnx"):
        (again / name).symlink_to(folder / name)
    assert run(again, *command) == 0
    assert timeless == [{key: row[key] for key in timeless[0]} for row in rows(again)]
