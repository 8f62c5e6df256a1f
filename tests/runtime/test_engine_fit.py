"""What engines are fit for."""

import pytest

from cvqe.neighbors import LOW_DELAY
from runtime.engine_fit import has_weights_of, mismatch, runs_on
from tests.engines import engine_manifest, network_manifest


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


@pytest.mark.parametrize(
    "changes, has",
    [
        ({}, True),
        ({"precision": "fp32"}, True),
        ({"takes_guide": True}, False),
        ({"takes_qp": True}, False),
        ({"radius": 1, "neighbors": LOW_DELAY}, False),
    ],
)
def test_an_engine_holds_a_networks_weights_if_it_is_given_the_same(changes, has):
    told = engine_manifest(network=network_manifest(radius=changes.get("radius", 3)))
    assert has_weights_of(told, network_manifest(**changes)) is has
