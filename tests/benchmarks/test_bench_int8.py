"""The chain of convolutions is the same in both precisions, and INT8 is computed as INT8."""

import csv

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks import bench_int8
from benchmarks.conv_chain import CHANNELS, LAYERS, conv_chain
from cvqe.errors import BackendError, ExitCode, UsageError
from tests.quantised import save_pair

openvino = pytest.importorskip("openvino")
OFFERED = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")

SQNR_DB = 20  # eight layers, each rounding what it reads to 127 steps, and weights as well


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x0": x})[0]


def test_both_chains_are_one_network():
    x = np.random.default_rng(1).standard_normal((1, CHANNELS, 12, 16), np.float32)
    exact, rounded = (run(conv_chain(12, 16, quantised), x) for quantised in (False, True))
    assert exact.std() > 0.3  # the signal neither dies nor grows on its way
    assert 10 * np.log10(np.square(exact).sum() / np.square(exact - rounded).sum()) > SQNR_DB
    kinds = [node.op_type for node in conv_chain(12, 16, True).graph.node]
    assert (kinds.count("Conv"), kinds.count("QuantizeLinear")) == (LAYERS, LAYERS)


@pytest.mark.skipif("BF16" not in OFFERED, reason="this CPU does not compute in bf16")
def test_rows_are_written_for_convolutions_and_pairs(tmp_path):
    plain, _ = save_pair(tmp_path)
    words = ["--pair", plain, "--sizes", "64x48", "--rounds", 2, "--threads", 1, "--output", tmp_path / "rows.csv"]
    assert bench_int8.main([str(word) for word in words]) == 0
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["case"] for row in rows} == {
        "8 convolutions, 416x240",
        *(f"8 convolutions, 1/{cell} of 64x48" for cell in (4, 8, 16)),
        "small, 64x48",
    }
    assert {row["metric"] for row in rows if row["provider"] == "openvino int8"} == {"time", "speedup"}


@pytest.mark.skipif("BF16" in OFFERED, reason="this CPU computes in bf16")
def test_without_bf16_there_is_nothing_to_compare(tmp_path, capsys):
    assert bench_int8.main(["--output", str(tmp_path / "rows.csv")]) == ExitCode.ERROR
    assert "this CPU does not compute in bf16" in capsys.readouterr().err
    assert not (tmp_path / "rows.csv").exists()


def test_a_precision_that_this_cpu_lacks_is_told(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench_int8, "PRECISIONS", ("fp8", "int8"))  # no CPU has that
    assert bench_int8.main(["--output", str(tmp_path / "rows.csv")]) == ExitCode.ERROR
    assert "bench_int8: this CPU does not compute in fp8" in capsys.readouterr().err


def test_a_network_without_its_calibrated_version_is_told(tmp_path):
    plain, calibrated = save_pair(tmp_path)
    assert [[model.path for model in pair] for pair in bench_int8.load_pairs([plain])] == [[plain, calibrated]]
    with pytest.raises(UsageError, match=r"small_int8.onnx is calibrated already"):
        bench_int8.load_pairs([calibrated])
    calibrated.unlink()
    with pytest.raises(UsageError, match=r"there is no small_int8.onnx beside it. Make it:  python calibration/"):
        bench_int8.load_pairs([plain])


def test_other_output_is_not_timed():
    x = np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32)
    bench_int8.refuse_other_output(x, x * np.float32(1.01))
    for other in (-x, np.zeros_like(x), np.full_like(x, np.nan)):
        with pytest.raises(BackendError, match="15 dB or more were expected"):
            bench_int8.refuse_other_output(x, other)


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--sizes", "416"], ["--sizes", "axb"], ["--threads", "0"]])
def test_a_value_that_is_none_is_a_mistake_of_usage(words):
    with pytest.raises(SystemExit) as stop:
        bench_int8.main(words)
    assert stop.value.code == ExitCode.USAGE
