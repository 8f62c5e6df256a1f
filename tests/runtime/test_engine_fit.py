"""What engines are fit for."""

import pytest

from runtime.engine_fit import mismatch, runs_on
from tests.engines import engine_manifest


@pytest.mark.parametrize(
    "changes, capability, runs",
    [
        ({}, 89, True),
        ({}, 90, False),
        ({"compute_capabilities": (80, 86, 89, 90, 120), "is_portable": True}, 121, True),
        ({"compute_capabilities": (80, 86, 89, 90, 120), "is_portable": True}, 75, False),
        ({"library": "tensorrt", "compute_capabilities": (89,)}, 86, False),
    ],
)
def test_engines_run_on_the_gpus_they_are_for(changes, capability, runs):
    assert runs_on(engine_manifest(**changes), capability) is runs


@pytest.mark.parametrize("version, fits", [("10.15.1", True), ("10.16.0", True), ("11.0.0", True), ("10.9.9", False)])
def test_a_version_compatible_engine_runs_under_later_versions(version, fits):
    told = engine_manifest(library="tensorrt", library_version="10.15.1", build={"versionCompatible": True})
    assert (mismatch(told, "tensorrt", version, 89) is None) is fits
