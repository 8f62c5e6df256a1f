"""The sweep as it is typed, on small clips."""

import csv
import sys

import onnx
import pytest

from calibration.sensitivity import main
from cvqe.errors import ExitCode
from tests.calibration.coded_clips import write_clips
from tests.calibration.graphs import residual_net

ROLES = {"first": "first", "second": "", "third": "", "last": "last"}


@pytest.fixture
def command(tmp_path) -> list[str]:
    clips, coded = write_clips(tmp_path, ["a", "b"])
    onnx.save(residual_net(qp=(37,)), tmp_path / "net.onnx")
    files = [f"--onnx={tmp_path / 'net.onnx'}", f"--clips={clips}", f"--coded={coded}", "--frames=3", "--judged=2"]
    return [*files, f"--csv={tmp_path / 'sweep.csv'}", f"--chart={tmp_path / 'sweep.png'}"]


def test_every_convolution_is_rounded_alone_those_that_are_kept_too(command, tmp_path):
    assert main(command) == ExitCode.DONE
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["layer"]: row["role"] for row in rows} == ROLES
    assert len({row["mean_loss_db"] for row in rows}) > 1  # each is another network
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_the_chart_is_drawn_again_without_measuring(command, tmp_path):
    assert main(command) == ExitCode.DONE
    first = (tmp_path / "sweep.png").read_bytes()
    (tmp_path / "net.onnx").unlink()
    assert main([*command, "--draw-only"]) == ExitCode.DONE
    assert (tmp_path / "sweep.png").read_bytes() == first


def test_what_was_not_measured_can_not_be_drawn(command, capsys):
    assert main([*command, "--draw-only"]) == ExitCode.USAGE
    assert "measure first, without --draw-only" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--csv", "--chart"])
def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(command, tmp_path, capsys, option):
    (tmp_path / "net.onnx").unlink()  # it is not even read
    assert main([*command, f"{option}={tmp_path / 'none' / 'sweep'}"]) == ExitCode.USAGE
    assert f"Make it:  mkdir -p {tmp_path / 'none'}" in capsys.readouterr().err


def test_without_matplotlib_nothing_is_measured(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (tmp_path / "net.onnx").unlink()
    assert main(command) == ExitCode.ERROR
    assert "matplotlib is not installed" in capsys.readouterr().err


def test_ctrl_c_ends_it_with_one_sentence(command, tmp_path, capsys, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("calibration.sensitivity_run.layer_losses", interrupt)
    assert main(command) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.startswith("sensitivity: stopped; files are written when every layer is measured")
    assert not list(tmp_path.glob("sweep.*"))


def test_too_few_frames_are_an_error(command, tmp_path, capsys):
    assert main([*command, "--frames=100"]) == ExitCode.ERROR
    assert "100 frames were asked for" in capsys.readouterr().err
    assert not (tmp_path / "sweep.csv").exists()
