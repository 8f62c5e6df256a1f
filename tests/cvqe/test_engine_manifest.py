"""The JSON beside an engine."""

import json

import pytest

from cvqe.engine_manifest import (
    ShapeRange,
    capability_from_text,
    capability_text,
    engine_manifest_from_json,
    shape_from_text,
    shape_text,
)
from cvqe.errors import ModelError, UsageError
from tests.engines import engine_manifest, network_manifest


def test_a_manifest_comes_back_as_it_was_written():
    sizes = ShapeRange((1, 7, 64, 64, 2), (1, 7, 720, 1280, 2), (1, 7, 1088, 1920, 2))
    network = network_manifest(bit_depth=16, takes_qp=True, qp=(22, 42))
    told = engine_manifest(
        profile={"window": sizes, "peak": ShapeRange((), (), ())},
        network=network,
        compute_capabilities=(89, 120),
        plugin_sha256=None,
        build={"memPoolSize": "workspace:1024B", "builderOptimizationLevel": 3, "versionCompatible": False},
    )
    assert engine_manifest_from_json(told.to_json(), "m.engine.json") == told
    assert told.precision == "fp16"


def test_people_read_capabilities_and_shapes_as_they_type_them():
    told = json.loads(engine_manifest(compute_capabilities=(75, 121)).to_json())
    assert told["compute_capabilities"] == ["7.5", "12.1"]
    assert told["profile"]["window"]["opt"] == "1x7x64x96"
    assert told["precision"] == "fp16"


def changed(**changes):
    told = json.loads(engine_manifest().to_json())
    told.update(changes)
    return json.dumps({name: value for name, value in told.items() if value != "gone"})


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "Expecting value"),
        ("[1]", "its format is 'list'"),
        ("{}", "its format is None"),
        (changed(format=2), "its format is 2, 1 was expected"),
        (changed(engine_sha256="gone"), "'engine_sha256' is missing"),
        (changed(engine_sha256=None), "engine_sha256 is None"),
        (changed(key=7), "key is 7"),
        (changed(library="openvino"), "library is 'openvino'"),
        (changed(profile={}), "no input 'window'"),
        (changed(profile={"window": {"min": "0x1", "opt": "1x1", "max": "1x1"}}), "'0x1' is no shape"),
        (changed(profile=[1]), "has no attribute"),
        (changed(compute_capabilities=["sm_89"]), "'sm_89' is no compute capability"),
        (changed(network={"network": "small"}), "carries no cvqe metadata"),
        (changed(engine_bytes="6"), "engine_bytes"),
    ],
)
def test_a_manifest_that_is_not_whole_is_refused(text, words):
    with pytest.raises(ModelError, match=words):
        engine_manifest_from_json(text, "m.engine.json")


def test_a_shape_range_holds_what_lies_between_its_ends():
    sizes = ShapeRange((1, 7, 64, 64), (1, 7, 720, 1280), (1, 7, 1088, 1920))
    assert sizes.holds((1, 7, 64, 1920))
    assert not sizes.holds((1, 7, 63, 1920))
    assert not sizes.holds((1, 7, 64, 1921))
    assert not sizes.holds((1, 7, 64, 64, 2))
    assert not sizes.is_static
    assert str(sizes) == "1x7x64x64 to 1x7x1088x1920"


@pytest.mark.parametrize("capability, text", [(75, "7.5"), (89, "8.9"), (120, "12.0"), (121, "12.1")])
def test_capabilities_are_spelled_with_a_dot(capability, text):
    assert capability_text(capability) == text
    assert capability_from_text(text) == capability


@pytest.mark.parametrize("text", ["8", "89", "8.9.1", "8.", "", "8.9 ", "CURRENT"])
def test_what_is_no_capability_is_refused(text):
    with pytest.raises(UsageError, match="no compute capability"):
        capability_from_text(text)


@pytest.mark.parametrize("shape, text", [((), "scalar"), ((1,), "1"), ((1, 7, 720, 1280), "1x7x720x1280")])
def test_shapes_are_spelled_as_trtexec_spells_them(shape, text):
    assert shape_text(shape) == text
    assert shape_from_text(text) == shape
