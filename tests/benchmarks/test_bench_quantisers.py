"""Every quantiser that is here writes a file that runs, with Q and DQ where they were asked for."""

import csv
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks import bench_quantisers
from benchmarks.calibration_reader import CalibrationReader
from benchmarks.optional_library import MissingLibraryError, optional_library
from benchmarks.quantiser_cases import (
    ITS_CHOICE,
    OUR_CHOICE,
    OWN,
    library_cases,
    own_cases,
    quantised_by,
    recovery_cases,
)
from benchmarks.quantiser_rows import facts
from calibration.folded import folded_model
from calibration.placement import place
from cvqe.errors import ExitCode
from cvqe.manifest import ENHANCED
from tests.calibration.coded_clips import write_clips
from tests.calibration.graphs import residual_net, windows

LEVELS = 8  # of 255, in the mean: the network is random, so that nothing but a broken file is seen here
CASES = [*recovery_cases(), *library_cases()]


def enhanced(model: onnx.ModelProto, feeds) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([ENHANCED], dict(feeds))[0].astype(float)


# the first: ModelOpt, where it is installed, changes onnxruntime.quantization in this process
def test_onnxruntime_is_given_our_placement():
    case = next(each for each in library_cases() if (each.library, each.placement) == ("onnxruntime", OUR_CHOICE))
    model = quantised_by(case, residual_net(), windows(2))
    kinds = [node.op_type for node in model.graph.node]
    assert (kinds.count("QuantizeLinear"), kinds.count("DequantizeLinear")) == (2, 4)  # inputs; and weights
    assert facts(model)["tensorrt"] == "yes"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.library} {case.method} {case.placement}")
def test_what_is_written_computes_nearly_the_same(case):
    samples = [*windows(2), *windows(1, (16, 24))]  # of two sizes, as clips are
    exact = residual_net()
    try:
        model = quantised_by(case, exact, samples)
    except MissingLibraryError as error:
        pytest.skip(str(error))
    assert np.abs(enhanced(exact, samples[0]) - enhanced(model, samples[0])).mean() < LEVELS
    told = facts(model)
    assert told["convolutions"] == len(place(folded_model(exact)).quantised) or case.placement == ITS_CHOICE
    assert told["convolutions"] > 1 and told["bytes"] < exact.ByteSize()
    assert told["tensorrt"] == "yes" or case.library != OWN


def test_a_part_of_the_samples_can_be_read_and_all_of_them_again():
    samples = [{"x": np.array([number])} for number in range(3)]
    reader = CalibrationReader(samples)
    assert (len(reader), reader.get_first()) == (3, samples[0])
    reader.set_range(1, 2)
    assert (reader.get_next(), reader.get_next()) == (samples[1], None)
    reader.rewind()
    assert [reader.get_next() for _ in range(4)] == [*samples, None]


def test_a_library_that_is_not_here_is_told_with_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingLibraryError, match=r"^nncf is not installed: pip install 'nncf==3.4.0'$"):
        optional_library("nncf", "nncf==3.4.0")


@pytest.fixture
def no_long_timing(monkeypatch):
    monkeypatch.setattr("calibration.gate.TIMED_S", 0.0)
    monkeypatch.setattr("calibration.gate.TIMED_SIZE", (32, 48))


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("quantisers")
    clips, coded = write_clips(folder, ["a", "b"])
    onnx.save(residual_net(qp=(37,)), folder / "net.onnx")
    files = [f"--onnx={folder / 'net.onnx'}", f"--clips={clips}", f"--coded={coded}"]
    return [*files, "--frames=2", "--judged=1", "--sizes", "48x32", "--rounds=1"]


def test_ours_are_measured_where_no_library_is(command, tmp_path, capsys, monkeypatch, no_long_timing):
    monkeypatch.setitem(sys.modules, "nncf", None)
    output = tmp_path / "quantisers.csv"
    assert bench_quantisers.main([*command, "--libraries", "nncf", "--output", str(output)]) == ExitCode.DONE
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [case.method for case in own_cases()]
    assert {row["library"] for row in rows} == {OWN}
    assert all(float(row["speedup_48x32"]) > 0 and row["mean_loss_db"] and row["git_sha"] for row in rows)
    assert "left out, nncf is not installed: pip install 'nncf==3.4.0'" in capsys.readouterr().err


@pytest.mark.slow
def test_recoveries_are_compared_without_timing(command, tmp_path, no_long_timing):
    output = tmp_path / "recovery.csv"
    assert bench_quantisers.main([*command, "--recoveries", f"--output={output}"]) == ExitCode.DONE
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [case.method for case in recovery_cases()]
    assert not any(name.startswith("speedup") for name in rows[0])


def test_too_few_frames_write_nothing(command, tmp_path, capsys):
    output = tmp_path / "quantisers.csv"
    assert bench_quantisers.main([*command, "--frames=1000", f"--output={output}"]) == ExitCode.ERROR
    assert "1000 frames were asked for" in capsys.readouterr().err
    assert not output.exists()
