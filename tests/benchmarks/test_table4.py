"""Real networks in real processes, on tiny frames."""

import csv
import json

import pytest

from benchmarks import own_process, table4, table4_cells
from benchmarks.network_speed import EAGER
from benchmarks.table4_cells import Computing, cells_of, memory_lacking
from benchmarks.table4_networks import SHIPPED, subjects_of
from cvqe.errors import ExitCode

QUICK = ["--networks", "--sizes", "32x24", "--seconds", "0", "--threads", "1", "--device", "cpu"]
LIVE = ["--onnx", f"a={SHIPPED['live']}"]


@pytest.fixture(autouse=True)
def nothing_is_imported_before(monkeypatch):
    """Let processes import what they need themselves: here some never need torch."""
    monkeypatch.setattr(own_process, "LIBRARIES", [])


def run(folder, *options):
    output = folder / "table4.csv"
    code = table4.main([*QUICK, "--folder", str(folder), "--output", str(output), *options])
    return code, list(csv.DictReader(output.open())) if output.exists() else None


def test_every_cell_is_measured_in_every_round_and_a_stopped_run_goes_on(tmp_path):
    networks = ["--onnx", f"a={SHIPPED['live_int8']}", f"b={SHIPPED['mganet_slim_ai_int8']}"]
    code, rows = run(tmp_path, *networks)
    assert code == ExitCode.DONE
    assert [(row["label"], row["way"], row["rounds"], row["frames"]) for row in rows] == [
        ("a", "best", "2", "3"),
        ("b", "best", "2", "3"),
    ]
    assert all(float(row["frames_per_s"]) > 0 and float(row["peak_memory_mb"]) > 0 for row in rows)
    log = tmp_path / "table4.jsonl"
    lines = log.read_text().splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["a", "b", "a", "b"]  # in turns
    log.write_text("".join(f"{line}\n" for line in lines[:3]))
    assert run(tmp_path, *networks, "--resume")[0] == ExitCode.DONE
    assert log.read_text().splitlines()[:3] == lines[:3]
    assert len(log.read_text().splitlines()) == 4


def test_what_cant_be_measured_gets_a_row_that_says_why_and_is_tried_once(tmp_path, capsys):
    code, (row,) = run(tmp_path, "--onnx", f"a={SHIPPED['live_int8']}", "--limit", "0.01")
    assert code == ExitCode.PARTIAL
    assert (row["not_measured"], row["median_ms"], row["label"]) == ("took longer than 0 s", "", "a")
    assert capsys.readouterr().err.count("not measured: took longer") == 1


def test_a_cell_that_does_not_fit_into_the_memory_is_not_begun(tmp_path, monkeypatch):
    cell = cells_of(subjects_of(["live"], [], tmp_path), ["1280x720"])[0]
    assert cell.way == EAGER
    assert memory_lacking(cell, Computing()) is None or table4_cells.available_bytes() < 2**30
    monkeypatch.setattr(table4_cells, "available_bytes", lambda: 2**27)
    assert memory_lacking(cell, Computing()) == "needs about 0.5 GB of memory, 0.1 GB are free"
    assert memory_lacking(cell, Computing(device="cuda")) is None


@pytest.mark.parametrize(
    "options, told",
    [
        ([*LIVE, "--rounds", "0"], "--rounds 0 --seconds 0 --limit 600 measures nothing"),
        ([*LIVE, "--sizes", "big"], "'big' is no size of a frame"),
        (["--networks", "nonet"], "there is no network 'nonet'"),
        (["--onnx", "a=b.txt"], "b.txt is no .onnx file"),
        ([], "no network is named"),
    ],
)
def test_bad_input_is_one_message_and_an_exit_code(tmp_path, capsys, options, told):
    assert run(tmp_path, *options) == (ExitCode.USAGE, None)
    err = capsys.readouterr().err
    assert err.startswith("table4: ") and told in err


def test_a_gpu_that_is_not_there_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(table4, "gpu_obstacle", lambda: "there is no NVIDIA driver here")
    code, rows = run(tmp_path, *LIVE, "--device", "cuda")
    assert (code, rows) == (ExitCode.ERROR, None)
    assert (
        "--device cuda can't be used: there is no NVIDIA driver here. Choose --device cpu." in capsys.readouterr().err
    )
    assert table4.device_of("auto") == "cpu"
    monkeypatch.setattr(table4, "gpu_obstacle", lambda: None)
    assert table4.device_of("auto") == "cuda"
