"""The driver's wrapper: names and argument counts against the installed bindings, errors as sentences."""

import inspect
import sys
from types import SimpleNamespace

import pytest

from cvqe.errors import BackendError
from runtime.cuda import driver as wrapper
from runtime.cuda.driver import Cuda, Device, open_cuda
from runtime.cuda.driver_errors import START, STICKY
from runtime.cuda.pinned_memory import PinnedMemory
from tests.runtime.cuda.simulated_driver import SimulatedCuda

bindings = pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")
from cuda.bindings import driver as real  # noqa: E402

DEVICE = Device(0, "test", 90, 2**33, (13, 0))
# every method, with arguments as the engine gives them
CALLS = {
    "use": (),
    "allocate": (1000,),
    "free": (256,),
    "allocate_pinned": (1000,),
    "free_pinned": (PinnedMemory(4096, 10),),
    "memory_free_bytes": (),
    "create_stream": (),
    "destroy_stream": (7,),
    "synchronize_stream": (7,),
    "synchronize": (),
    "create_event": (True,),
    "destroy_event": (5,),
    "record": (5, 7),
    "wait_event": (7, 5),
    "synchronize_event": (5,),
    "elapsed_ms": (5, 6),
    "copy_to_device": (256, 4096, 10, 7),
    "copy_to_host": (4096, 256, 10, 7),
    "copy_on_device": (256, 512, 10, 7),
    "fill": (256, 0, 10, 7),
    "capture": (7, lambda: None),
    "launch": (9, 7),
    "destroy_graph": (9,),
}
# what the functions that give something give, as the bindings type it
GIVEN = {
    "cuMemAlloc": real.CUdeviceptr(1024),
    "cuMemHostAlloc": 4096,
    "cuStreamCreate": real.CUstream(7),
    "cuEventCreate": real.CUevent(5),
    "cuEventElapsedTime": 1.5,
    "cuStreamEndCapture": real.CUgraph(8),
    "cuGraphInstantiate": real.CUgraphExec(9),
    "cuDeviceGet": real.CUdevice(0),
    "cuDeviceGetAttribute": 9,
    "cuDeviceGetName": b"Some GPU" + bytes(248),
    "cuDeviceTotalMem": 2**33,
    "cuDriverGetVersion": 1000 * int(bindings.__version__.partition(".")[0]) + 20,
    "cuDevicePrimaryCtxRetain": real.CUcontext(3),
}


def parameters(function: str) -> int:
    """Count a binding's parameters by the first line of its documentation, which older ones have too."""
    listed = getattr(real, function).__doc__.splitlines()[0].partition("(")[2].rpartition(")")[0]
    return len(listed.split(",")) if listed else 0


class Api:
    """The bindings' names and argument counts, with answers of its own."""

    def __init__(self, **codes: str) -> None:
        self.codes, self.called = codes, []

    def __getattr__(self, name: str):
        if not name.startswith("cu"):
            return getattr(real, name)
        n_parameters = parameters(name)

        def function(*arguments):
            assert len(arguments) == n_parameters, name
            self.called.append(name)
            code = self.codes.get(name, "CUDA_SUCCESS")
            result = (
                real.CUresult.__members__[code] if code in real.CUresult.__members__ else SimpleNamespace(name=code)
            )
            given = (2**30, 2**33) if name == "cuMemGetInfo" else (GIVEN[name],) if name in GIVEN else ()
            return (result, *(given if code == "CUDA_SUCCESS" else [None] * len(given)))

        return function


def cuda_with(**codes: str) -> tuple[Cuda, Api]:
    api = Api(**codes)
    return Cuda(api, DEVICE, real.CUcontext(3)), api


def methods(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(function)
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_every_method_is_called_here():
    assert CALLS.keys() == methods(Cuda).keys() - {"close"}  # which asks nothing of the driver


def test_the_simulation_has_the_same_methods_with_the_same_parameters():
    simulated = methods(SimulatedCuda)
    assert {name: simulated[name] for name in methods(Cuda)} == methods(Cuda)


@pytest.mark.parametrize("method", CALLS)
def test_a_method_calls_functions_that_the_bindings_have_with_as_many_arguments(method):
    cuda, api = cuda_with()
    getattr(cuda, method)(*CALLS[method])
    assert api.called


def has_driver() -> bool:
    try:
        real.cuDriverGetVersion()
    except RuntimeError:
        return False
    return True


@pytest.mark.skipif(has_driver(), reason="here the driver would take these made-up handles seriously")
@pytest.mark.parametrize("method", CALLS)
def test_the_bindings_take_these_arguments(method):
    # they are converted before the driver's library is looked for: a wrong one would be a TypeError
    with pytest.raises(BackendError, match="libcuda"):
        getattr(Cuda(real, DEVICE, real.CUcontext(3)), method)(*CALLS[method])


def test_handles_and_addresses_come_back_as_integers():
    cuda, _ = cuda_with()
    assert (cuda.allocate(8), cuda.create_stream(), cuda.create_event()) == (1024, 7, 5)
    assert cuda.capture(7, lambda: None) == 9
    assert cuda.allocate_pinned(8) == PinnedMemory(4096, 8)
    assert cuda.memory_free_bytes() == 2**30
    assert cuda.elapsed_ms(5, 6) == 1.5


def test_the_graph_that_was_captured_is_given_back_once_it_can_be_launched():
    cuda, api = cuda_with()
    cuda.capture(7, lambda: api.called.append("work"))
    assert api.called == ["cuStreamBeginCapture", "work", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphDestroy"]


def test_what_ends_a_capture_is_what_is_raised():
    cuda, api = cuda_with(cuStreamEndCapture="CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")

    def work() -> None:
        raise ValueError("the plugin's own")

    with pytest.raises(ValueError, match="own"):
        cuda.capture(7, work)
    assert api.called[-1] == "cuStreamEndCapture"


@pytest.mark.parametrize(
    "function, method, code, sentence",
    [
        (
            "cuMemAlloc",
            "allocate",
            "CUDA_ERROR_OUT_OF_MEMORY",
            r"0\.0 MiB of GPU memory .* 1024 MiB are free; .*smaller",
        ),
        ("cuMemHostAlloc", "allocate_pinned", "CUDA_ERROR_OUT_OF_MEMORY", r"page-locked memory were asked for;"),
        ("cuMemAlloc", "allocate", "CUDA_ERROR_NOT_INITIALIZED", "answers cuMemAlloc with CUDA_ERROR_NOT_INITIALIZED"),
        ("cuEventSynchronize", "synchronize_event", "CUDA_ERROR_ILLEGAL_ADDRESS", "can't use the GPU any more"),
        ("cuStreamEndCapture", "capture", "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "what a CUDA graph can't hold"),
    ],
)
def test_a_refusal_is_one_sentence_with_what_to_do(function, method, code, sentence):
    cuda, _ = cuda_with(**{function: code})
    with pytest.raises(BackendError, match=sentence) as caught:
        getattr(cuda, method)(*CALLS[method])
    assert "--backend" not in str(caught.value)  # build_engine.py, which shows these sentences too, has no such flag


def test_after_a_kernel_broke_down_giving_back_is_no_second_error():
    cuda, api = cuda_with(cuCtxSynchronize="CUDA_ERROR_LAUNCH_FAILED")
    with pytest.raises(BackendError, match="broke down"):
        cuda.synchronize()
    assert cuda.is_broken
    cuda.free(256)
    cuda.close()
    assert "cuMemFree" not in api.called


def test_a_result_code_that_the_bindings_do_not_know_says_to_update_them():
    class Newer(Api):
        def __getattr__(self, name: str):
            return lambda *arguments: real.CUresult(12345)

    with pytest.raises(BackendError, match="pip install -U cuda-python"):
        Cuda(Newer(), DEVICE, None).use()


@pytest.mark.parametrize("code", [*STICKY, *START, "CUDA_ERROR_OUT_OF_MEMORY", "CUDA_SUCCESS"])
def test_the_codes_are_spelled_as_the_bindings_spell_them(code):
    newer = {"CUDA_ERROR_CONTAINED", "CUDA_ERROR_TENSOR_MEMORY_LEAK"}  # than cuda-bindings 12.9
    assert code in real.CUresult.__members__ or code in newer


@pytest.fixture
def installed(monkeypatch):
    """Return a function that installs bindings with these answers."""

    def install(**codes: str) -> Api:
        api = Api(**codes)
        monkeypatch.setattr(bindings, "driver", api)
        return api

    return install


def test_a_device_is_opened_and_described(installed):
    api = installed()
    cuda = open_cuda(0)
    newest = (GIVEN["cuDriverGetVersion"] // 1000, 2)
    assert cuda.device == Device(0, "Some GPU", 99, 2**33, newest)
    assert api.called[-1] == "cuCtxSetCurrent"
    cuda.close()
    cuda.close()
    assert "cuDevicePrimaryCtxRelease" not in api.called  # libraries' objects may still be destroyed in it


@pytest.mark.parametrize("code", START)
def test_a_driver_that_does_not_start_says_why(installed, code):
    installed(cuInit=code)
    with pytest.raises(BackendError, match=code) as caught:
        open_cuda()
    assert str(caught.value).startswith(START[code])


def test_a_device_that_is_not_there_is_said(installed):
    installed(cuDeviceGet="CUDA_ERROR_INVALID_DEVICE")
    with pytest.raises(BackendError, match="no GPU of that number"):
        open_cuda(3)


def test_an_old_driver_is_told_from_none(installed, monkeypatch):
    monkeypatch.setattr(bindings, "__version__", "13.4.4")
    monkeypatch.setitem(GIVEN, "cuDriverGetVersion", 12040)
    installed()
    with pytest.raises(BackendError, match=r"CUDA up to 12\.4, and cuda-bindings 13\.4\.4 needs 13\.0; update"):
        open_cuda()
    monkeypatch.setattr(bindings, "__version__", "12.9.2")
    assert open_cuda().device.cuda_version == (12, 4)


@pytest.mark.skipif(has_driver(), reason="there is a driver here")
def test_a_machine_without_a_driver_is_one_sentence():
    with pytest.raises(BackendError, match=r"libcuda.* does not offer cuDriverGetVersion .*NVIDIA driver.*--gpus all$"):
        open_cuda()


@pytest.mark.parametrize("module", ["cuda.bindings", "cuda.bindings.driver"])
def test_a_python_without_the_bindings_is_told_what_to_install(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    if module != "cuda.bindings":
        monkeypatch.delattr(bindings, "driver")
    with pytest.raises(BackendError, match="pip install cuda-python"):
        open_cuda()


def test_the_wrapper_imports_nothing_of_cuda_by_itself():
    assert not [name for name in vars(wrapper) if name in ("cuda", "api", "bindings")]
