"""A manifest survives its way through a file; a foreign file is refused."""

import pytest

from cvqe.errors import ModelError
from cvqe.manifest import Manifest, manifest_from_properties

MANIFEST = Manifest("tgafnet", {"blocks": 2}, 3, (32, 37), 8, "fp32", 1_327_356, "ab12", "2026-01-31", "0.1.0")


def test_properties_give_the_manifest_back():
    assert manifest_from_properties(MANIFEST.to_properties(), "x.onnx") == MANIFEST
    assert all(isinstance(value, str) for value in MANIFEST.to_properties().values())


@pytest.mark.parametrize("name", ["cvqe.radius", "cvqe.network"])
def test_a_missing_field_names_the_file_and_the_remedy(name):
    properties = MANIFEST.to_properties()
    del properties[name]
    with pytest.raises(ModelError, match=r"x.onnx carries no cvqe metadata.*to_onnx.py"):
        manifest_from_properties(properties, "x.onnx")


def test_a_field_that_does_not_parse_is_refused():
    with pytest.raises(ModelError, match="does not parse"):
        manifest_from_properties({**MANIFEST.to_properties(), "cvqe.qp": "37, or so"}, "x.onnx")
