import json

import onnx
import pytest

from calibration.calibrate import main
from calibration.run import split_clips
from cvqe.errors import ExitCode
from cvqe.manifest import HIDDEN, HIDDEN_NEXT
from runtime.model_file import load_model_file
from tests.calibration.coded_clips import write_clips
from tests.calibration.graphs import residual_net
from training.evaluation.cases import find_cases

NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("calibrate")
    clips, coded = write_clips(folder, NAMES)
    onnx.save(residual_net(qp=(37,)), folder / "net.onnx")
    files = [f"--onnx={folder / 'net.onnx'}", f"--clips={clips}", f"--coded={coded}"]
    return [*files, "--frames=4", "--judged=3"]


def test_a_file_is_written_with_what_it_is_and_the_list_of_its_frames(command, tmp_path, capsys):
    output = tmp_path / "net_int8.onnx"
    assert main([*command, f"--output={output}", "--force"]) == ExitCode.DONE  # so small a network is no faster
    told = load_model_file(output).manifest
    source = load_model_file(next(tmp_path.parent.glob("calibrate*/net.onnx")))
    assert told.precision == "int8"
    assert (told.calibration["n_samples"], told.calibration["source_sha256"]) == (4, source.sha256)
    assert set(told.calibration["high_precision"]) == {"first", "last"}
    listed = json.loads((tmp_path / "net_int8_frames.json").read_text())
    assert (len(listed["calibrated_on"]), len(listed["judged_on"])) == (4, 3)
    assert not {each["clip"] for each in listed["calibrated_on"]} & {each["clip"] for each in listed["judged_on"]}
    shown = capsys.readouterr().out
    assert "calibrated on 4 frames of 2 clips at QP 37" in shown
    assert "2 convolutions rounded, 2 not" in shown


def test_the_same_command_chooses_the_same_frames_and_writes_the_same_network(command, tmp_path):
    outputs = [tmp_path / "first.onnx", tmp_path / "second.onnx"]
    for output in outputs:
        assert main([*command, f"--output={output}", "--force"]) == ExitCode.DONE
    first, second = (onnx.load(output).graph.SerializeToString() for output in outputs)
    assert first == second
    listed = [json.loads(output.with_name(f"{output.stem}_frames.json").read_text()) for output in outputs]
    assert listed[0]["calibrated_on"] == listed[1]["calibrated_on"]


def test_fp8_is_judged_by_emulated_rounding_and_its_speed_is_not_measured(command, tmp_path, capsys):
    assert main([*command, "--to=fp8", f"--output={tmp_path / 'net_fp8.onnx'}", "--force"]) == ExitCode.DONE
    assert "its speed is not measured" in capsys.readouterr().out
    assert load_model_file(tmp_path / "net_fp8.onnx").manifest.precision == "fp8"


def test_what_the_gate_refuses_is_not_written(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("calibration.gate.MEAN_LIMIT_DB", -100.0)  # then every network loses too much
    output = tmp_path / "net_int8.onnx"
    assert main([*command, f"--output={output}"]) == ExitCode.ERROR
    assert "is refused: it loses" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_too_few_frames_are_an_error_and_not_fewer_frames(command, tmp_path, capsys):
    assert main([*command, "--frames=1000", f"--output={tmp_path / 'o.onnx'}"]) == ExitCode.ERROR
    assert "1000 frames were asked for" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_clips_that_are_left_out_are_neither_calibrated_nor_judged_on(command, tmp_path, capsys):
    output = tmp_path / "net_int8.onnx"
    assert main([*command, "--exclude", "b", f"--output={output}", "--force"]) == ExitCode.DONE
    listed = json.loads((tmp_path / "net_int8_frames.json").read_text())
    assert {each["clip"] for part in ("calibrated_on", "judged_on") for each in listed[part]} == {"a", "c"}
    assert main([*command, "--exclude", "kitti_*", f"--output={output}"]) == ExitCode.USAGE
    assert "--exclude kitti_* matches none" in capsys.readouterr().err


def test_a_file_that_is_calibrated_already_is_refused(command, tmp_path, capsys):
    onnx.save(residual_net(precision="fp16"), tmp_path / "half.onnx")
    assert main([*command, f"--onnx={tmp_path / 'half.onnx'}"]) == ExitCode.ERROR
    assert "half.onnx computes in fp16" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [
        (["--frames=0"], "--frames 0 would measure nothing"),
        (["--judged=-1"], "--judged -1 would measure nothing"),
        (["--output=none/net_int8.onnx"], "none is no folder. Make it:  mkdir -p none"),
        (["--output=net_int8"], "ends in .onnx"),
        (["--keep", "second", "third"], "no convolution is left to round: "),
        (["--to=fp8", "--observer=mse"], "--observer mse weighs even steps, which fp8 has not"),
    ],
)
def test_what_can_not_be_done_is_refused_and_nothing_is_written(command, tmp_path, capsys, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--output=net_int8.onnx", *options, "--force"]) == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_network_itself_is_never_written_over(command, tmp_path, capsys):
    path = tmp_path / "net.onnx"
    onnx.save(residual_net(qp=(37,)), path)
    before = path.read_bytes()
    assert main([*command, f"--onnx={path}", f"--output={path}"]) == ExitCode.USAGE
    assert "is the network itself" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_deformable_convolutions_written_as_plain_nodes_hide_their_offsets_and_are_refused(command, tmp_path, capsys):
    onnx.save(residual_net(deform_conv="gather"), tmp_path / "gather.onnx")
    assert main([*command, f"--onnx={tmp_path / 'gather.onnx'}"]) == ExitCode.ERROR
    assert "gather DeformConv; fp32, 8-bit samples and standard were expected" in capsys.readouterr().err


def test_a_network_that_remembers_frames_is_refused(command, tmp_path, capsys):
    model = residual_net(hidden_channels=4)
    for values, name in ((model.graph.input, HIDDEN), (model.graph.output, HIDDEN_NEXT)):
        values.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4, "height", "width"]))
    model.graph.node.append(onnx.helper.make_node("Identity", [HIDDEN], [HIDDEN_NEXT]))
    onnx.save(model, tmp_path / "recurrent.onnx")
    assert main([*command, f"--onnx={tmp_path / 'recurrent.onnx'}"]) == ExitCode.ERROR
    assert "hands a state on from frame to frame" in capsys.readouterr().err


def test_clips_to_judge_by_are_others_than_those_calibrated_on(tmp_path):
    cases = find_cases(*write_clips(tmp_path, NAMES, (22, 37)), ["ldp"], [22, 37])
    kept, held_back = split_clips(cases, seed=0)
    assert {case.clip for case in kept} | {case.clip for case in held_back} == set(NAMES)
    assert not {case.clip for case in kept} & {case.clip for case in held_back}
    assert split_clips(cases, seed=0) == (kept, held_back)
