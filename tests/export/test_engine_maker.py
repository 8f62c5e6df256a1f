"""How a request becomes a build."""

from types import ModuleType

import pytest

from cvqe.errors import BackendError
from export import engine_maker
from export.build_device import PORTABLE, BuildDevice
from export.engine_maker import make_engine
from export.engine_options import BuildConfig, EngineOptions, ShapeOptions
from runtime.cuda.driver import Device
from tests.engines import save_small_network


@pytest.mark.parametrize("level, expected", [("ampere+", PORTABLE), ("sameComputeCapability", (89,)), (None, (89,))])
def test_an_engine_of_tensorrt_carries_kernels_for_the_gpus_that_it_is_to_run_on(
    tmp_path, monkeypatch, level, expected
):
    targets = []

    def build(_trt, _library, _source, chosen, *_others):
        targets.append(chosen.compute_capabilities)
        raise BackendError("nothing is built here")

    device = BuildDevice(Device(0, "NVIDIA GeForce RTX 4090", 89, 24 << 30, (13, 0)))
    monkeypatch.setattr(engine_maker, "find_device", lambda: device)
    monkeypatch.setattr(engine_maker, "choose_library", lambda *_: "tensorrt")
    monkeypatch.setattr(engine_maker, "load_tensorrt", lambda _library: ModuleType("tensorrt"))
    monkeypatch.setattr(engine_maker, "build_engine", build)
    options = EngineOptions(
        engines=tmp_path / "engines",
        shapes=ShapeOptions(opt_shapes={"window": (1, 7, 64, 96)}),
        build=BuildConfig(hardware_compatibility_level=level),
    )
    with pytest.raises(BackendError, match="nothing is built here"):
        make_engine(save_small_network(tmp_path / "m.onnx"), options)
    assert targets == [expected]
