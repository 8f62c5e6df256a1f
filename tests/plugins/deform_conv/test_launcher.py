"""The launcher against a driver that writes down what it is asked, and once against a real one."""

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cuda.bindings.driver")

from cvqe.errors import BackendError, ShapeError
from plugins.deform_conv import launcher
from plugins.deform_conv.launcher import Launcher
from plugins.deform_conv.problem import Problem
from plugins.deform_conv.reference import deform_conv
from tests.plugins.deform_conv.cases import make_case
from tests.plugins.deform_conv.kernels import PROBLEM, fake_kernel

POINTERS = [256 * n for n in range(1, 7)]
SHAPES = PROBLEM.shapes(2, 8, 16)
# sums of 27 products near 0.2 in float32
FP32_ATOL = 4e-6


class Code(int):
    """A CUresult: a number with a name."""

    name = "CUDA_SUCCESS"


def failure(name: str) -> Code:
    code = Code(1)
    code.name = name
    return code


class FakeDriver:
    """Answers as an sm_89 in context 7 would; `answers` overrides single calls."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor"
    )
    CUfunction_attribute = SimpleNamespace(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES="shared")

    def __init__(self, **answers: Any) -> None:
        self.answers = {
            "cuCtxGetCurrent": 1000,
            "cuCtxGetId": 7,
            "cuCtxGetDevice": 0,
            "cuDeviceGetAttribute": lambda attribute, _: {"major": 8, "minor": 9}[attribute],
            "cuModuleLoadData": "module",
            "cuModuleGetFunction": lambda module, name: f"{module}.{name.decode()}",
            "cuFuncSetAttribute": None,
            "cuLaunchKernel": self.launched,
        } | answers
        self.calls: list[tuple[Any, ...]] = []
        self.arguments: list[int] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append((name, *arguments))
            answer = self.answers[name]
            answer = answer(*arguments) if callable(answer) else answer
            return (answer,) if isinstance(answer, Code) else (Code(0), answer)

        return call

    def launched(self, *arguments: Any) -> None:
        # as a GPU would: through the array of addresses, 32 bits of each of the four sizes
        table = ctypes.cast(arguments[-2], ctypes.POINTER(ctypes.c_void_p))
        kinds = [ctypes.c_uint64] * 6 + [ctypes.c_int32] * 4 + [ctypes.c_uint64] * 2
        self.arguments = [ctypes.cast(table[i], ctypes.POINTER(kind))[0] for i, kind in enumerate(kinds)]

    def names(self) -> list[str]:
        return [name for name, *_ in self.calls]


@pytest.fixture
def driver(monkeypatch):
    return use(monkeypatch)


def use(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> FakeDriver:
    fake = FakeDriver(**answers)
    monkeypatch.setattr(launcher, "driver", fake)
    monkeypatch.setattr(launcher, "_functions", {})
    return fake


def test_a_launch_is_one_call_with_the_stream_and_all_arguments(driver):
    started = Launcher([fake_kernel()])
    started.load()
    before = len(driver.calls)
    started.launch(55, POINTERS, SHAPES)
    assert driver.names()[before:] == ["cuCtxGetCurrent", "cuCtxGetId", "cuLaunchKernel"]
    _, function, *sizes, shared_bytes, stream, _, extra = driver.calls[-1]
    assert (function, sizes) == ("module.aligned", [1, 1, 2, 128, 1, 1])
    assert (shared_bytes, stream, extra) == (1000, 55, 0)
    assert driver.arguments == [*POINTERS, 8, 16, 16, 128, 0, 0]


def test_an_address_off_the_grid_takes_the_other_function(driver):
    started = Launcher([fake_kernel()])
    started.load()
    started.launch(0, [*POINTERS[:5], POINTERS[5] + 2], SHAPES)
    assert driver.calls[-1][1] == "module.general"


def test_the_driver_is_given_the_kernel_for_its_device(driver):
    Launcher([fake_kernel(capability=75), fake_kernel(capability=86), fake_kernel(capability=90)]).load()
    (data,) = [arguments[0] for name, *arguments in driver.calls if name == "cuModuleLoadData"]
    assert data == b"// 86\0"


def test_a_module_is_loaded_once_for_each_context(driver):
    first, second = Launcher([fake_kernel()]), Launcher([fake_kernel()])
    first.load(), first.load(), second.load()
    assert driver.names().count("cuModuleLoadData") == 1
    driver.answers["cuCtxGetId"] = 8
    with pytest.raises(BackendError, match="context it was not loaded in; call load"):
        first.launch(0, POINTERS, SHAPES)
    first.load()
    assert driver.names().count("cuModuleLoadData") == 2
    first.launch(0, POINTERS, SHAPES)


def test_much_shared_memory_is_asked_for(driver):
    large = fake_kernel()
    entry = type(large.aligned)("aligned", 60_000, 2)
    Launcher([fake_kernel(aligned=entry)]).load()
    assert [call for call in driver.calls if call[0] == "cuFuncSetAttribute"] == [
        ("cuFuncSetAttribute", "module.aligned", "shared", 60_000)
    ]


def test_wrong_shapes_never_reach_the_device(driver):
    started = Launcher([fake_kernel()])
    started.load()
    with pytest.raises(ShapeError):
        started.launch(0, POINTERS, SHAPES[:-1])
    assert "cuLaunchKernel" not in driver.names()


@pytest.mark.parametrize(
    "answers, message",
    [
        ({"cuCtxGetCurrent": 0}, "no CUDA context is current"),
        ({"cuModuleLoadData": failure("CUDA_ERROR_UNSUPPORTED_PTX_VERSION")}, "Install a newer driver"),
        ({"cuModuleLoadData": failure("CUDA_ERROR_OUT_OF_MEMORY")}, "no memory left for the DeformConv kernel"),
        ({"cuModuleGetFunction": failure("CUDA_ERROR_NOT_FOUND")}, "CUDA_ERROR_NOT_FOUND from cuModuleGetFunction"),
        ({"cuLaunchKernel": failure("CUDA_ERROR_ILLEGAL_ADDRESS")}, "CUDA_ERROR_ILLEGAL_ADDRESS from cuLaunchKernel"),
    ],
)
def test_refusals_are_one_sentence_and_what_to_do(monkeypatch, answers, message):
    use(monkeypatch, **answers)
    started = Launcher([fake_kernel()])
    with pytest.raises(BackendError, match=message):
        started.load()
        started.launch(0, POINTERS, SHAPES)


def test_without_a_driver_it_says_so(monkeypatch):
    def absent(*_: Any) -> None:
        raise RuntimeError("libcuda.so.1 not found")

    use(monkeypatch, cuCtxGetCurrent=absent)
    with pytest.raises(BackendError, match=r"(?s)no NVIDIA driver .*libcuda.so.1 not found.*--backend openvino"):
        Launcher([fake_kernel()]).load()


@pytest.mark.gpu
@pytest.mark.parametrize("height, width", [(16, 1304), (7, 1301)])  # one that is aligned, one that is not
def test_a_real_launch_matches_the_reference(height, width):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    from plugins.deform_conv.compiler import compile_kernel

    case = make_case(3, 3, height, width, n=2, c_out=20)
    problem = Problem(3, 20, (3, 3), mask="values", dtype="fp32", **case.attributes)
    tensors = [torch.from_numpy(case.tensors[name]).cuda() for name in ("x", "weight", "offset", "bias", "mask")]
    tensors.append(torch.full((2, 20, height, width), np.nan, device="cuda"))
    major, minor = torch.cuda.get_device_capability()
    started = Launcher([compile_kernel(problem, 10 * major + minor)])
    started.load()
    shapes = [tuple(tensor.shape) for tensor in tensors]
    started.launch(torch.cuda.current_stream().cuda_stream, [tensor.data_ptr() for tensor in tensors], shapes)
    y = tensors[-1].cpu().double().numpy()
    expected = deform_conv(**{n: t.astype(np.float64) for n, t in case.tensors.items()}, **case.attributes)
    np.testing.assert_allclose(y, expected, atol=FP32_ATOL, rtol=0)
