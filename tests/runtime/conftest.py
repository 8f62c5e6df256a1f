"""A small network for the runtime's tests: exported here, never stored."""

from pathlib import Path

import pytest

from tests.networks import export_network


@pytest.fixture(scope="session")
def live_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return `live` with made-up weights that change the picture by a few levels."""
    return export_network("live", tmp_path_factory.mktemp("live") / "live.onnx")


@pytest.fixture(scope="session")
def tgafnet_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return TGAFNet (L = 1) with made-up weights and offsets of some pixels."""
    return export_network("tgafnet", tmp_path_factory.mktemp("tgafnet") / "tgafnet.onnx", blocks=1)
