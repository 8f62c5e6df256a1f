"""How torch's operators reach the kernels; what the kernels compute is tested without a GPU in test_kernel.py."""

from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")
pytest.importorskip("cuda.bindings.driver")

import torch

from cvqe.errors import BackendError, ShapeError
from cvqe.layers.deform_conv import deform_conv2d, packed_deform_conv2d
from cvqe.layers.warp import warp
from plugins.deform_conv import torch_op
from plugins.deform_conv.problem import Problem

# outputs near 1 of 27 products: one step of half at 2.0, and samples rounded to half
FP16_ATOL = 2**-9 + 2**-10
FP32_ATOL = 4e-6
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


class Recorder:
    """Stands in for a loaded launcher."""

    def __init__(self) -> None:
        self.launches: list[tuple[Problem, Any, Any]] = []

    def __call__(self, problem: Problem, x: Any, tensors: Any) -> Any:
        self.launches.append((problem, x, tensors))
        return x


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(torch_op, "_launched", recorder)
    return recorder


def inputs(kernel: int = 3, dtype: Any = torch.float32, device: str = "cpu", width: int = 24) -> tuple[Any, ...]:
    """Return x, packed, weight and bias of three frames."""
    torch.manual_seed(0)
    x, weight = torch.rand(2, 3, 8, width), torch.randn(20, 3, kernel, kernel) / kernel / 3**0.5
    packed = 2 * torch.randn(2, 9 * kernel**2, 8, width)
    return tuple(tensor.to(device, dtype) for tensor in (x, packed, weight, torch.randn(20)))


def split(packed: Any) -> tuple[Any, Any]:
    n_mask = packed.shape[1] // 3
    return packed[:, : 2 * n_mask], packed[:, 2 * n_mask :].sigmoid()


def test_a_packed_tensor_is_handed_over_as_it_is(recorder):
    x, packed, weight, bias = inputs(5)
    torch_op.fused_deform_conv2d(x, packed, weight, bias)
    ((problem, _, tensors),) = recorder.launches
    assert problem == Problem(3, 20, (5, 5), pads=(2,) * 4, offset_group=3, mask="logits", packed=True, dtype="fp32")
    assert tensors == (x, weight, packed, bias)


def test_a_mask_comes_last_and_may_be_absent(recorder):
    x, packed, weight, bias = inputs()
    offset, mask = split(packed)
    torch_op._deform_conv2d(x, offset, mask, weight, bias)
    torch_op._deform_conv2d(x, offset, None, weight, bias)
    (first, _, with_mask), (second, _, without) = recorder.launches
    assert (first.mask, with_mask) == ("values", (x, weight, offset, bias, mask))
    assert (second.mask, without) == ("none", (x, weight, offset, bias))


def test_a_warp_is_a_convolution_with_the_identity(recorder):
    planes = torch.rand(1, 2, 8, 9, dtype=torch.float16)
    torch_op._warp(planes, torch.zeros(1, 4, 8, 9, dtype=torch.float16))
    ((problem, _, (_, weight, _, bias)),) = recorder.launches
    assert problem == Problem(2, 2, (1, 1), offset_group=2)
    assert (weight.flatten().tolist(), bias.tolist()) == ([1, 0, 0, 1], [0, 0])


def test_what_needs_a_gradient_or_other_types_goes_the_usual_way(recorder):
    x, packed, weight, bias = inputs()
    offset, mask = split(packed)
    for tensors in (
        (x, offset, mask, weight.requires_grad_(), bias),
        [tensor.double() for tensor in (x, offset, mask, weight, bias)],
        (x, offset.half(), mask, weight, bias),
    ):
        with torch.set_grad_enabled(tensors[3].requires_grad and tensors[0].dtype == tensors[1].dtype):
            y = torch_op._deform_conv2d(*tensors)
            torch.testing.assert_close(y, deform_conv2d(*tensors))
    with torch.no_grad():
        packed = packed.bfloat16()
        y = torch_op.fused_deform_conv2d(x, packed, weight, bias)
        torch.testing.assert_close(y, packed_deform_conv2d(x, packed, weight, bias))
    planes = torch.rand(1, 9, 4, 5)
    displacement = torch.randn(1, 18, 4, 5)
    torch.testing.assert_close(torch_op._warp(planes, displacement), warp(planes, displacement))
    assert recorder.launches == []


def test_shapes_that_do_not_fit_are_refused_as_on_the_cpu(recorder):
    x, packed, weight, bias = inputs()
    with pytest.raises(ShapeError, match="offset has"):
        torch_op.fused_deform_conv2d(x, packed[:, :30], weight, bias)
    with pytest.raises(ShapeError, match="warp needs planes"):
        torch_op._warp(x, packed[:, :5])


def test_registering_twice_changes_nothing_on_the_cpu():
    x, packed, weight, bias = inputs()
    offset, mask = split(packed)
    before = deform_conv2d(x, offset, mask, weight, bias)
    torch_op.register(), torch_op.register()
    torch.testing.assert_close(deform_conv2d(x, offset, mask, weight, bias), before, atol=0, rtol=0)
    torch.testing.assert_close(packed_deform_conv2d(x, packed, weight, bias), before, atol=FP32_ATOL, rtol=0)


def test_a_first_call_inside_a_capture_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with pytest.raises(BackendError, match="run the network once before"):
        torch_op._loaded_launcher(Problem(1, 1, (1, 1)), torch.device("cpu"))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype, atol", [(torch.float16, FP16_ATOL), (torch.float32, FP32_ATOL)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("width", [1304, 1301])
def test_the_kernels_match_the_layers_in_float64(kernel, width, dtype, atol):
    torch_op.register()
    x, packed, weight, bias = inputs(kernel, dtype, "cuda", width)
    offset, mask = split(packed.double())
    expected = deform_conv2d(x.double(), offset, mask, weight.double(), bias.double())
    with torch.inference_mode():
        fused = packed_deform_conv2d(x, packed, weight, bias).double()
        plain = deform_conv2d(x, offset.to(dtype), mask.to(dtype), weight, bias).double()
    torch.testing.assert_close(fused, expected, atol=atol, rtol=0)
    # the mask itself is rounded on its way
    torch.testing.assert_close(plain, expected, atol=2 * atol, rtol=0)


@pytest.mark.gpu
@needs_gpu
def test_kernels_are_captured_into_a_graph():
    torch_op.register()
    x, packed, weight, bias = inputs(3, torch.float16, "cuda", 1304)
    planes, displacement = x[:, :2].contiguous(), packed[:, :4].contiguous()
    with torch.inference_mode():
        for _ in range(2):
            expected = packed_deform_conv2d(x, packed, weight, bias), warp(planes, displacement)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = packed_deform_conv2d(x, packed, weight, bias), warp(planes, displacement)
        for y in captured:
            y.fill_(float("nan"))
        graph.replay()
    torch.cuda.synchronize()
    for y, right in zip(captured, expected, strict=True):
        torch.testing.assert_close(y, right, atol=0, rtol=0)
