"""Torch eager gives the pictures that an engine gives: the same inputs reach it."""

import numpy as np
import pytest

from benchmarks.eager_network import EagerNetwork, load_what_torch_loads_late
from benchmarks.stream_speed import made_up_frames
from cvqe.errors import BackendError
from runtime.engine import EngineRequest, open_engine
from runtime.fixed_grid import fixed_grid_map
from runtime.model_file import WEIGHTS, load_model_file
from tests.cvqe.models.comparison import COMPARISONS
from tests.networks import export_network

SIZE = 24, 40
LEVELS_APART = 1  # float32 sums in another order may round to either side
RFDA = next(each.small for each in COMPARISONS if each.name == "rfda")
SHIPPED = {"live": "live.onnx", "mganet_slim_ai": "mganet_slim_ai_qp37.onnx"}  # one takes a QP, one a guided map


def windows(n_frames):
    frames = made_up_frames(6, *SIZE)
    return [np.stack([frames[(t + place) % 6] for place in range(n_frames)]) for t in range(3)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    rfda = export_network("rfda", tmp_path_factory.mktemp("small") / "rfda.onnx", **RFDA)
    paths = {name: WEIGHTS / path for name, path in SHIPPED.items()} | {"rfda": rfda}
    return {name: load_model_file(path) for name, path in paths.items()}


@pytest.mark.parametrize("name", [*SHIPPED, "rfda"])
def test_frame_after_frame_it_gives_what_an_engine_gives(files, name):
    file = files[name]
    eager = EagerNetwork(file, threads=1)
    engine = open_engine(EngineRequest(file, *SIZE, precision="fp32", threads=1), "onnxruntime").engine
    for window in windows(file.manifest.window_frames):
        guide = fixed_grid_map(window[file.manifest.radius])
        ours, theirs = (each.enhance(window, 30.0, guide) for each in (eager, engine))
        assert ours.is_finite
        assert np.abs(ours.luma.astype(int) - theirs.luma).max() <= LEVELS_APART


def test_a_recurrent_network_goes_on_until_it_is_reset(files):
    eager = EagerNetwork(files["rfda"], threads=1)
    window = windows(7)[0]
    first, second = (eager.enhance(window).luma for _ in range(2))
    assert (first != second).any()
    eager.reset()
    np.testing.assert_array_equal(eager.enhance(window).luma, first)


def test_a_quantised_file_is_refused():
    with pytest.raises(BackendError, match="calibrated for int8"):
        EagerNetwork(load_model_file(WEIGHTS / "live_int8.onnx"))


def test_what_torch_loads_late_can_be_loaded():
    load_what_torch_loads_late()
