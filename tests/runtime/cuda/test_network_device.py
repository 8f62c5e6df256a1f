"""What a library can't do shows when the engine is opened, in one sentence, and nothing stays on the device."""

import gc
import weakref
from random import Random

import numpy as np
import pytest

from cvqe.errors import BackendError, ModelError
from runtime.cuda import network_device
from runtime.cuda.network_device import engine_on_device
from tests.runtime.cuda.fake_network import FakeNetwork, enhanced, request_for
from tests.runtime.cuda.simulated_driver import SimulatedCuda

REQUEST = request_for(1, 5, 7)


class LibraryError(Exception):
    """As a library's own: no parent that anyone could catch."""


@pytest.fixture
def cuda(monkeypatch) -> SimulatedCuda:
    device = SimulatedCuda(Random(0))
    device.use()
    monkeypatch.setattr(network_device, "open_cuda", lambda: device)
    return device


def test_an_engine_that_opens_has_run(cuda):
    networks = []

    def load(device):
        networks.append(FakeNetwork(device, REQUEST))
        return networks[0]

    engine = engine_on_device(REQUEST, load, "no matter")
    assert networks[0].n_launches > 0
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)
    np.testing.assert_array_equal(engine.enhance(frames, 30.0).luma, enhanced(frames, 30.0, None)[0])
    engine.close()
    assert cuda.live() == []


def test_a_library_that_does_not_load_is_told(cuda):
    def load(device):
        raise LibraryError("something long\nlibcudnn.so.9 is missing")

    with pytest.raises(BackendError, match=r"^it can't run fake.onnx: libcudnn.so.9 is missing$"):
        engine_on_device(REQUEST, load, "it can't run fake.onnx")
    assert cuda.is_closed


def test_a_library_that_fails_at_its_first_run_is_told_when_the_engine_is_opened(cuda):
    class Failing(FakeNetwork):
        def prepared(self, addresses, stream):
            raise LibraryError("out of memory")

    with pytest.raises(BackendError, match=r"^fake can't prepare this network: out of memory\nRun on the CPU"):
        engine_on_device(REQUEST, lambda device: Failing(device, REQUEST), "no matter")
    assert cuda.is_closed and cuda.live() == []


def test_our_own_errors_stay_what_they_are(cuda):
    def load(device):
        raise ModelError("the engine is for another size")

    with pytest.raises(ModelError, match=r"^the engine is for another size$"):
        engine_on_device(REQUEST, load, "no matter")
    assert cuda.is_closed


def test_a_closed_engine_holds_nothing_of_the_library(cuda):
    class Session:
        pass

    held = []

    class Holding(FakeNetwork):
        is_capturable = False

        def prepared(self, addresses, stream):
            session, launch = Session(), super().prepared(addresses, stream)
            held.append(weakref.ref(session))
            return lambda: (session, launch())[1]

    engine = engine_on_device(REQUEST, lambda device: Holding(device, REQUEST, is_capturable=False), "no matter")
    assert held and all(reference() is not None for reference in held)
    engine.close()
    gc.collect()
    assert all(reference() is None for reference in held)
    assert engine.backend == "fake"  # it is still there, and so is its ring


def test_no_device_names_another_way(monkeypatch):
    def no_device():
        raise BackendError("there is none.")

    monkeypatch.setattr(network_device, "open_cuda", no_device)
    with pytest.raises(BackendError, match=r"^there is none\.\nRun on the CPU:  --backend openvino$"):
        engine_on_device(REQUEST, lambda device: FakeNetwork(device, REQUEST), "no matter")
