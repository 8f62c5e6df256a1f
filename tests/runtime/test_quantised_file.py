"""--precision int8 takes the calibrated file beside a network's own, and says what is missing or wrong."""

import json
import shlex
from dataclasses import replace

import onnx
import pytest

from cvqe.errors import BackendError, ModelError, UsageError
from runtime.engine import EngineRequest, open_engine
from runtime.model_choice import versions_named
from runtime.model_file import load_model_file, model_versions
from tests.quantised import float_model, save_pair


def test_the_calibrated_version_beside_a_network_is_found(tmp_path):
    plain, calibrated = save_pair(tmp_path)
    for name in (plain, calibrated):
        assert [each.path for each in versions_named(str(name), "int8")] == [calibrated]
    assert [each.path for each in versions_named(str(plain), "bf16")] == [plain]


def test_a_network_of_several_qps_is_not_mistaken_for_its_calibrated_versions(tmp_path):
    save_pair(tmp_path, name="small_qp37")
    save_pair(tmp_path, to="fp8", name="small_qp37")
    assert [each.path.name for each in model_versions("small", tmp_path)] == ["small_qp37.onnx"]
    assert [each.path.name for each in model_versions("small_qp37_int8", tmp_path)] == ["small_qp37_int8.onnx"]


def test_a_network_without_one_names_the_command_that_makes_it(tmp_path):
    plain = tmp_path / "it's small.onnx"
    onnx.save(float_model(), plain)
    with pytest.raises(
        UsageError, match=r"holds no int8 scales, and there is no it's small_int8.onnx beside it"
    ) as raised:
        versions_named(str(plain), "int8")
    command = shlex.split(str(raised.value).split("Make it:  ")[1])
    assert command[:2] == ["python", "calibration/calibrate.py"]
    assert command[command.index("--onnx") + 1] == str(plain)
    assert command[command.index("--output") + 1] == str(tmp_path / "it's small_int8.onnx")


@pytest.mark.parametrize("calibration", [{"source_sha256": "0" * 64}, {"source_sha256": None}])
def test_one_that_was_calibrated_from_another_network_is_refused(tmp_path, calibration):
    plain, _ = save_pair(tmp_path, **calibration)
    with pytest.raises(
        ModelError, match=r"small_int8.onnx was calibrated from .* of .*small.onnx was expected. Make it:"
    ):
        versions_named(str(plain), "int8")


def test_a_float_file_under_the_calibrated_ones_name_is_refused(tmp_path):
    plain, calibrated = save_pair(tmp_path)
    calibrated.write_bytes(plain.read_bytes())
    with pytest.raises(ModelError, match=r"small_int8.onnx computes in fp32; int8 was expected. Make it:"):
        versions_named(str(plain), "int8")


@pytest.mark.parametrize("backend", ["auto", "openvino", "onnxruntime"])
@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_a_calibrated_file_runs_as_what_it_is(tmp_path, backend, precision):
    model = load_model_file(save_pair(tmp_path)[1])
    engine = open_engine(EngineRequest(model, 16, 24, precision=precision), backend).engine
    assert engine.precision == "int8"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "fp8"])
def test_no_other_precision_can_be_asked_of_it(tmp_path, precision):
    model = load_model_file(save_pair(tmp_path)[1])
    with pytest.raises(
        BackendError, match=f"calibrated for int8.*can't compute in {precision}. Choose --precision auto"
    ):
        open_engine(EngineRequest(model, 16, 24, precision=precision))


def test_scales_that_a_file_does_not_hold_are_asked_of_the_one_that_does(tmp_path):
    plain, calibrated = save_pair(tmp_path)
    request = EngineRequest(load_model_file(plain), 16, 24, precision="int8")
    with pytest.raises(BackendError, match=f"small.onnx holds no int8 scales; .* {calibrated} does: give that"):
        open_engine(request)
    calibrated.unlink()
    with pytest.raises(BackendError, match=r"Make it:  python calibration/calibrate.py --onnx .*small.onnx --to int8"):
        open_engine(request)


def test_fp8_runs_emulated_by_onnx_runtime_alone_and_that_is_said(tmp_path):
    model = load_model_file(save_pair(tmp_path, "fp8")[1])
    with pytest.raises(BackendError, match=r"does not compute in fp8 .*choose the network that it was calibrated from"):
        open_engine(EngineRequest(model, 16, 24), "openvino")
    choice = open_engine(EngineRequest(model, 16, 24))
    assert (choice.engine.backend, choice.engine.precision) == ("onnxruntime", "fp8")
    assert "openvino: this CPU does not compute in fp8" in choice.reason


def test_what_the_gate_was_forced_past_is_kept(tmp_path):
    gate = {"objections": ["it loses 0.07 dB", "it is 0.90 times as fast"]}
    manifest = load_model_file(save_pair(tmp_path, forced=True, gate=gate)[1]).manifest
    assert manifest.forced_past == "it loses 0.07 dB; it is 0.90 times as fast"
    assert replace(manifest, calibration={**manifest.calibration, "forced": False}).forced_past is None
    assert replace(manifest, calibration={"forced": True}).forced_past == "what it loses was not measured"
    assert manifest.to_properties()["cvqe.calibration"] == json.dumps(manifest.calibration)
