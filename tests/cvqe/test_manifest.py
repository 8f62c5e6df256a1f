"""A manifest survives its way through a file; a foreign file is refused."""

import math
from dataclasses import replace

import pytest

from cvqe.errors import ModelError, UsageError
from cvqe.manifest import Manifest, manifest_from_properties

MANIFEST = Manifest("tgafnet", {"blocks": 2}, 3, (32, 37), 8, "fp32", 1_327_356, "ab12", "2026-01-31", "0.1.0")


@pytest.mark.parametrize("takes_qp", [False, True])
def test_properties_give_the_manifest_back(takes_qp):
    manifest = replace(MANIFEST, takes_qp=takes_qp)
    assert manifest_from_properties(manifest.to_properties(), "x.onnx") == manifest
    assert all(isinstance(value, str) for value in MANIFEST.to_properties().values())


def test_a_file_from_before_there_were_qps_takes_none():
    properties = MANIFEST.to_properties()
    del properties["cvqe.takes_qp"]
    assert manifest_from_properties(properties, "x.onnx") == MANIFEST


def test_a_file_from_before_there_was_a_choice_holds_the_standards_deform_conv():
    properties = MANIFEST.to_properties()
    del properties["cvqe.deform_conv"]
    assert manifest_from_properties(properties, "x.onnx").deform_conv == "standard"
    custom = replace(MANIFEST, deform_conv="custom")
    assert manifest_from_properties(custom.to_properties(), "x.onnx") == custom


def test_a_file_from_before_there_was_calibration_has_none():
    properties = MANIFEST.to_properties()
    del properties["cvqe.calibration"]
    manifest = manifest_from_properties(properties, "x.onnx")
    assert (manifest, manifest.is_quantised, manifest.forced_past) == (MANIFEST, False, None)
    calibrated = replace(MANIFEST, precision="int8", calibration={"to": "int8", "n_samples": 64})
    assert manifest_from_properties(calibrated.to_properties(), "x.onnx") == calibrated
    assert calibrated.is_quantised


def test_a_file_from_before_there_were_recurrent_networks_has_no_state():
    properties = MANIFEST.to_properties()
    del properties["cvqe.hidden_channels"]
    assert not manifest_from_properties(properties, "x.onnx").is_recurrent
    recurrent = replace(MANIFEST, hidden_channels=64)
    assert recurrent.is_recurrent
    assert manifest_from_properties(recurrent.to_properties(), "x.onnx") == recurrent


def test_a_qp_is_kept_within_those_trained_on():
    assert [MANIFEST.trained_qp(qp) for qp in (-3, 31.9, 33.25, 51)] == [32, 32, 33.25, 37]
    assert MANIFEST.middle_qp == 34.5


@pytest.mark.parametrize("qp", [math.nan, math.inf])
def test_a_qp_that_is_no_number_is_refused(qp):
    with pytest.raises(UsageError, match=f"tgafnet can't be told a QP of {qp}"):
        MANIFEST.trained_qp(qp)


def test_a_network_that_takes_a_qp_must_say_which_it_was_trained_on():
    with pytest.raises(ModelError, match=r"nothing says which ones it was trained on.*--qp 22 42"):
        replace(MANIFEST, qp=(), takes_qp=True)


def test_neighbors_that_there_are_not_name_the_file_and_the_remedy():
    properties = {**MANIFEST.to_properties(), "cvqe.neighbors": '"low-delay"'}
    with pytest.raises(ModelError, match=r"x.onnx says .*'low-delay' with radius 3.*\n.*to_onnx.py .*--output x.onnx"):
        manifest_from_properties(properties, "x.onnx")


@pytest.mark.parametrize("name", ["cvqe.radius", "cvqe.network"])
def test_a_missing_field_names_the_file_and_the_remedy(name):
    properties = MANIFEST.to_properties()
    del properties[name]
    with pytest.raises(ModelError, match=r"x.onnx carries no cvqe metadata.*to_onnx.py"):
        manifest_from_properties(properties, "x.onnx")


def test_a_field_that_does_not_parse_is_refused():
    with pytest.raises(ModelError, match="does not parse"):
        manifest_from_properties({**MANIFEST.to_properties(), "cvqe.qp": "37, or so"}, "x.onnx")
