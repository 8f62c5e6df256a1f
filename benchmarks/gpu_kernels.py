"""One deformable convolution on a GPU: our PTX in a CUDA graph, torchvision's operation, the floor of its traffic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
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
SMALL = (37, 1301)  # odd, and wide enough that half-precision coordinates would be off by half a pixel
# outputs are near 1, rounded to half: 2**-11 relative, and samples rounded to half once before the product
FP16_ATOL = 4e-3


@dataclass(frozen=True)
class KernelSpeed:
    """Times of one case, milliseconds; `largest_error` is against the reference in float64 on a small picture."""

    name: str
    floor_ms: float
    largest_error: float
    times: dict[str, Timing]

    @property
    def of_floor(self) -> float:
        """How many times the floor our kernel takes; the goal is 1.3 at most."""
        return self.times["ours"].median / self.floor_ms

    @property
    def of_torchvision(self) -> float:
        """How many times as fast as torchvision's it is; the goal is 3 at least."""
        return self.times["torchvision"].median / self.times["ours"].median


def problem_of(channels: int, kernel: int, mask: Any = "values", packed: bool = False) -> Problem:
    """Return one of TGAFNet's deformable convolutions: "same" padding, offsets of its own for every channel."""
    pad = kernel // 2
    return Problem(channels, C_OUT, (kernel, kernel), pads=(pad,) * 4, offset_group=channels, mask=mask, packed=packed)


def floor_ms(problem: Problem, height: int, width: int, bytes_per_s: float) -> float:
    """Return the time to move x, offset, mask and y once."""
    return 1000 * problem.traffic_bytes(1, height, width) / bytes_per_s


def measure_kernel(channels: int, kernel: int, height: int, width: int, bytes_per_s: float) -> KernelSpeed:
    """Check one case against the reference, then time it.

    Raises:
        CvqeError: the result is wrong; nothing is timed then.
    """
    problem = problem_of(channels, kernel)
    error = _largest_error(problem)
    if not error <= FP16_ATOL:
        raise CvqeError(f"our kernel is off by {error:.2e} for {problem}; {FP16_ATOL:g} is allowed. Nothing was timed.")
    inputs = made_up_inputs(problem, height, width)
    times = {
        "ours": graph_ms(our_launch(problem, inputs)),
        "ours, sigmoid and split inside": graph_ms(_packed_launch(channels, kernel, inputs)),
        "ours, sigmoid and split by torch": graph_ms(_unpacked_launch(problem, inputs)),
        "torchvision": eager_ms(_torchvision_launch(problem, inputs)),
    }
    return KernelSpeed(
        f"{channels} channels, {kernel}x{kernel}", floor_ms(problem, height, width, bytes_per_s), error, times
    )


def made_up_inputs(problem: Problem, height: int, width: int, seed: int = 0) -> list[Tensor]:
    """Return x, weight, offset, bias and mask in half precision, for outputs near 1."""
    generator = torch.Generator(device="cuda").manual_seed(seed)
    shapes = problem.shapes(1, height, width)[:-1]
    tensors = [torch.randn(shape, generator=generator, device="cuda") for shape in shapes]
    x, weight, offset, bias, mask = tensors
    scale = (problem.channels * problem.n_taps) ** -0.5
    return [each.half() for each in (x, weight * scale, offset * OFFSET_PX, bias, mask.sigmoid())]


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


def _largest_error(problem: Problem) -> float:
    inputs = made_up_inputs(problem, *SMALL)
    launch = our_launch(problem, inputs)
    stream = torch.cuda.Stream()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        y = launch()
    graph.replay()
    torch.cuda.synchronize()
    x, weight, offset, bias, mask = (tensor.double().cpu().numpy() for tensor in inputs)
    expected = deform_conv(
        x, weight, offset, bias, mask, pads=problem.pads, offset_group=problem.offset_group, group=problem.group
    )
    found = y.double().cpu().numpy()
    return float("inf") if np.isnan(found).any() else float(np.abs(found - expected).max())


def _packed_launch(channels: int, kernel: int, inputs: Sequence[Tensor]) -> Callable[[], Tensor]:
    x, weight, offset, bias, mask = inputs
    packed = torch.cat((offset, mask.float().clamp(1e-3, 1 - 1e-3).logit().half()), 1)
    return our_launch(problem_of(channels, kernel, "logits", packed=True), (x, weight, packed, bias))


def _unpacked_launch(problem: Problem, inputs: Sequence[Tensor]) -> Callable[[], Tensor]:
    x, weight, offset, bias, mask = inputs
    packed = torch.cat((offset, mask), 1)
    offset_copy, mask_copy = torch.empty_like(offset), torch.empty_like(mask)
    launch = our_launch(problem, (x, weight, offset_copy, bias, mask_copy))

    def run() -> Tensor:
        offset_copy.copy_(packed[:, : offset.shape[1]])
        torch.sigmoid(packed[:, offset.shape[1] :], out=mask_copy)
        return launch()

    return run


def _torchvision_launch(problem: Problem, inputs: Sequence[Tensor]) -> Callable[[], Tensor]:
    from torchvision.ops import deform_conv2d

    x, weight, offset, bias, mask = inputs
    padding = problem.pads[:2]
    return lambda: deform_conv2d(x, offset, weight, bias, padding=padding, mask=mask)
