"""One deformable convolution on a GPU: our PTX in a CUDA graph, torchvision's operation, the floor of its traffic."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.gpu_machine import eager_ms, graph_ms
from benchmarks.report import Timing
from cvqe.errors import CvqeError
from plugins.deform_conv.compiler import compile_kernel
from plugins.deform_conv.launcher import Launcher
from plugins.deform_conv.problem import Problem
from plugins.deform_conv.reference import deform_conv

SHAPES = ((3, 1), (3, 3), (3, 5), (64, 1))  # channels, which are the offset groups too, and kernel size
C_OUT = 64
OFFSET_PX = 2.0
# one size for either entry point: the second is that of planes which 8 divides, as those of videos, which are timed.
# Both are wide enough that half-precision coordinates would be off by half a pixel
CHECKED_SIZES = ((37, 1301), (40, 1304))
# outputs reach 6, where half moves in steps of 2**-8: half a step is the rounding of y, the other is left to samples,
# which are rounded to half before they are summed in float32 (1.5e-3 at most for inputs like these)
FP16_ATOL = 2.0**-8


def case_name(channels: int, kernel: int) -> str:
    """Return what tables call a case."""
    return f"{channels} channels, {kernel}x{kernel}"


def problem_of(channels: int, kernel: int, mask: Any = "values", packed: bool = False) -> Problem:
    """Return one of TGAFNet's deformable convolutions: "same" padding, offsets of its own for every channel."""
    pad = kernel // 2
    return Problem(channels, C_OUT, (kernel, kernel), pads=(pad,) * 4, offset_group=channels, mask=mask, packed=packed)


def packed_problem(problem: Problem) -> Problem:
    """Return the same one with offsets and the mask's logits in one tensor."""
    return problem_of(problem.channels, problem.kernel[0], "logits", packed=True)


def floor_ms(problem: Problem, height: int, width: int, bytes_per_s: float) -> float:
    """Return the time to move x, offset, mask and y once."""
    return 1000 * problem.traffic_bytes(1, height, width) / bytes_per_s


def checked_error(problem: Problem) -> float:
    """Return how far our kernel is at most from the reference in float64: both entry points and both kinds of mask.

    Raises:
        CvqeError: farther than half precision explains.
    """
    errors = {}
    for size in CHECKED_SIZES:
        inputs = made_up_inputs(problem, *size)
        errors[size, "values"] = _largest_error(problem, inputs, _expected(problem, inputs))
        inputs = packed_inputs(inputs)
        errors[size, "logits"] = _largest_error(packed_problem(problem), inputs, _expected(problem, inputs))
    for ((height, width), mask), error in errors.items():
        if not error <= FP16_ATOL:
            raise CvqeError(
                f"our kernel is off by {error:.2e} at {width}x{height}, mask {mask}; {FP16_ATOL:.2e} is allowed"
            )
    return max(errors.values())


def made_up_inputs(problem: Problem, height: int, width: int, seed: int = 0) -> list[Tensor]:
    """Return x, weight, offset, bias and mask in half precision, for outputs of a standard deviation near 1."""
    generator = torch.Generator(device="cuda").manual_seed(seed)
    shapes = problem.shapes(1, height, width)[:-1]
    tensors = [torch.randn(shape, generator=generator, device="cuda") for shape in shapes]
    x, weight, offset, bias, mask = tensors
    scale = (problem.channels * problem.n_taps) ** -0.5
    return [each.half() for each in (x, weight * scale, offset * OFFSET_PX, bias, mask.sigmoid())]


def packed_inputs(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return x, weight, offsets with the mask's logits behind them, and bias."""
    x, weight, offset, bias, mask = inputs
    return [x, weight, torch.cat((offset, mask.float().clamp(1e-3, 1 - 1e-3).logit().half()), 1), bias]


def our_launch(problem: Problem, inputs: Sequence[Tensor]) -> Callable[[], Tensor]:
    """Return what TensorRT's plugin does at every inference: launch(stream, pointers, shapes) of the same PTX."""
    major, minor = torch.cuda.get_device_capability()
    launcher = Launcher([compile_kernel(problem, 10 * major + minor)])
    launcher.load()
    height, width = inputs[0].shape[2:]
    y = torch.full(problem.shapes(1, height, width)[-1], float("nan"), dtype=inputs[0].dtype, device="cuda")
    tensors = [*inputs, y]
    pointers, shapes = [tensor.data_ptr() for tensor in tensors], [tuple(tensor.shape) for tensor in tensors]

    def launch() -> Tensor:
        launcher.launch(torch.cuda.current_stream().cuda_stream, pointers, shapes)
        return y

    return launch


def time_ours(problem: Problem, height: int, width: int) -> Timing:
    """Time our kernel, milliseconds; so do those below, with inputs of their own."""
    return graph_ms(our_launch(problem, made_up_inputs(problem, height, width)))


def time_packed(problem: Problem, height: int, width: int) -> Timing:
    """Time our kernel on the offset convolution's output as it is."""
    return graph_ms(our_launch(packed_problem(problem), packed_inputs(made_up_inputs(problem, height, width))))


def time_unpacked(problem: Problem, height: int, width: int) -> Timing:
    """Time torch's copies and sigmoid together with our kernel behind them."""
    x, weight, offset, bias, mask = made_up_inputs(problem, height, width)
    packed = torch.cat((offset, mask), 1)
    launch = our_launch(problem, (x, weight, offset, bias, mask))

    def run() -> Tensor:
        offset.copy_(packed[:, : offset.shape[1]])
        torch.sigmoid(packed[:, offset.shape[1] :], out=mask)
        return launch()

    return graph_ms(run)


def time_torchvision(problem: Problem, height: int, width: int) -> Timing:
    """Time torchvision's operation on the same inputs, launched from Python as it is used."""
    from torchvision.ops import deform_conv2d

    x, weight, offset, bias, mask = made_up_inputs(problem, height, width)
    padding = problem.pads[:2]
    return eager_ms(lambda: deform_conv2d(x, offset, weight, bias, padding=padding, mask=mask))


OURS: dict[str, Callable[[Problem, int, int], Timing]] = {
    "ours": time_ours,
    "ours, sigmoid and split inside": time_packed,
    "ours, sigmoid and split by torch": time_unpacked,
}
THEIRS = {"torchvision": time_torchvision}


def _largest_error(problem: Problem, inputs: Sequence[Tensor], expected: NDArray[np.float64]) -> float:
    """Compare a plain launch and a replayed one, each of which has an output full of NaN to fill."""
    launch = our_launch(problem, inputs)
    torch.cuda.synchronize()  # the inputs were made on another stream
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        y = launch()
        stream.synchronize()
        error = _difference(y, expected)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            launch()
        y.fill_(float("nan"))
        graph.replay()
        stream.synchronize()
        return max(error, _difference(y, expected))


def _difference(y: Tensor, expected: NDArray[np.float64]) -> float:
    found = y.double().cpu().numpy()
    return float("inf") if np.isnan(found).any() else float(np.abs(found - expected).max())


def _expected(problem: Problem, inputs: Sequence[Tensor]) -> NDArray[np.float64]:
    """Return the equation's result for inputs as they are rounded; a mask that is no input is behind the offsets."""
    x, weight, offset, bias, *masks = (tensor.double().cpu().numpy() for tensor in inputs)
    offset, behind = np.split(offset, [2 * problem.channels * problem.n_taps], axis=1)
    mask = masks[0] if masks else 1 / (1 + np.exp(-behind))
    return np.asarray(deform_conv(x, weight, offset, bias, mask, pads=problem.pads, offset_group=problem.offset_group))
