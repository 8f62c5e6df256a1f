import os
from functools import partial

import pytest

from tests.shared_graphs import traced_once


@pytest.fixture(scope="session", autouse=True)
def shared_graphs(tmp_path_factory):
    """Let every export of the same weights take the graph of the first one."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "graphs"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.exporter.float_graph", partial(traced_once, folder=folder))
        yield
