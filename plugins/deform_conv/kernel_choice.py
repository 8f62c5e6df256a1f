"""Which kernel computes a problem, in which blocks: by its sizes and the GPU it is for.

One thread samples one pixel and holds its sums, so no sample is taken twice up to C_out / group = 128 (fp16).
A pass over the taps samples up to `STEP` of them and ends in one dot of depth 2**LOG2_DEPTH.
"""

from dataclasses import dataclass
from typing import Literal

from plugins.deform_conv.problem import Problem

TENSOR_CORES = 80  # older ones have no dot that Triton can use
MAX_PRODUCTS = 64  # of a pixel without tensor cores
MAX_UNROLLED_TAPS = 32
MIN_DEPTH = 16  # of a dot
GENERAL_STEP = 8  # taps of a pass where addresses take twice the registers
Constants = dict[str, int | bool | str]


@dataclass(frozen=True)
class KernelChoice:
    """A function of kernel.py and what it is compiled and launched with; grid: see CompiledKernel."""

    name: Literal["deform_conv", "deform_planes"]
    constants: tuple[tuple[str, int | bool | str], ...]
    n_warps: int
    block_pixels: int
    n_tiles: int


def choose_kernel(problem: Problem, compute_capability: int, is_aligned: bool = True) -> KernelChoice:
    """Choose by measure of registers, spills and instructions a sample: see the README.

    Args:
        is_aligned: for the entry point that nearly every frame takes. The other one, which has an address of 64 bits
            for each item, gets small passes: the time to compile grows with the square of a pass.
    """
    outputs, terms = problem.c_out // problem.group, problem.channels // problem.group * problem.n_taps
    if outputs * terms <= MAX_PRODUCTS and outputs <= MAX_PRODUCTS // 8:
        # two pixels a thread, for loads and stores of 4 bytes and more
        return _choice("deform_planes", problem, 4, 256, problem.group, {})
    block_outputs = min(most_sums(problem, compute_capability), max(MIN_DEPTH, power_of_two(outputs)))
    step = taps_of_a_pass(problem) if is_aligned else min(taps_of_a_pass(problem), GENERAL_STEP)
    depth = max(MIN_DEPTH, power_of_two(step))
    n_tiles = problem.group * -(-outputs // block_outputs)
    constants: Constants = {"BLOCK_CO": block_outputs, "STEP": step, "LOG2_DEPTH": depth.bit_length() - 1}
    # without tensor cores half takes twice the registers of float
    constants["ROUND"] = compute_capability >= TENSOR_CORES
    return _choice("deform_conv", problem, 4, 128, n_tiles, constants)


def most_sums(problem: Problem, compute_capability: int) -> int:
    """Return how many output channels of a pixel one thread can sum up in registers; for more, samples are retaken."""
    return 128 if problem.dtype == "fp16" and compute_capability >= TENSOR_CORES else 64


def taps_of_a_pass(problem: Problem) -> int:
    """Return how many (channel, tap) pairs are sampled between two dots: whole channels where they are small."""
    channels, n_taps = problem.channels // problem.group, problem.n_taps
    if n_taps > MAX_UNROLLED_TAPS:
        return MIN_DEPTH
    most = max(1, MIN_DEPTH // n_taps)
    divisor = max(count for count in range(1, most + 1) if channels % count == 0)
    # a last pass that is not full samples something for nothing; one in two is better than small passes
    return n_taps * (divisor if 2 * divisor >= min(most, channels) else most)


def power_of_two(number: int) -> int:
    """Return the smallest power of two that is not below a number."""
    return 1 << (number - 1).bit_length()


def _choice(
    name: Literal["deform_conv", "deform_planes"],
    problem: Problem,
    n_warps: int,
    block_pixels: int,
    n_tiles: int,
    constants: Constants,
) -> KernelChoice:
    common: Constants = {
        "CHANNELS": problem.channels,
        "C_OUT": problem.c_out,
        "KERNEL_W": problem.kernel[1],
        "N_TAPS": problem.n_taps,
        "STRIDE_Y": problem.strides[0],
        "STRIDE_X": problem.strides[1],
        "DILATION_Y": problem.dilations[0],
        "DILATION_X": problem.dilations[1],
        "TOP": problem.pads[0],
        "LEFT": problem.pads[1],
        "GROUP": problem.group,
        "OFFSET_GROUP": problem.offset_group,
        "MASK": problem.mask,
        "PACKED": problem.packed,
        "BLOCK_P": block_pixels,
    }
    return KernelChoice(name, tuple((common | constants).items()), n_warps, block_pixels, n_tiles)
