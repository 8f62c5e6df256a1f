"""Measure what each number type of a deformable convolution costs, on TGAFNet's own tensors at 1280x720.

$ python benchmarks/bench_coordinates.py
$ python benchmarks/bench_coordinates.py --size 640x360

The network runs in float32 on frames of the bundled clip, scaled up; what each of its four deformable convolutions
reads is then convolved in float64, and in the types of every scheme, emulated in NumPy. Noise comes last.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import av
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks import report
from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.pixels import FLOAT_WINDOW
from export.graph import float_graph
from plugins.deform_conv import half_coordinates as types
from plugins.deform_conv.node_facts import MASK, OFFSET, X, is_standard, problem_from_node, value_types
from plugins.deform_conv.problem import Problem

Floats = NDArray[np.floating]
CHECKPOINT = report.ROOT / "training" / "checkpoints" / "tgafnet_qp37.safetensors"
DEMO = report.ROOT / "docs" / "demo" / "demo_qp37.mp4"
SCHEMES = {
    "half tensors": types.HALF_DATA,
    "ours": types.OURS,
    "half sums": types.HALF_SUMS,
    "half coordinates": types.HALF_COORDINATES,
    "built-in": types.BUILT_IN,
}
N_OUTPUTS = 4  # of 64 channels: the emulation adds up product by product
N_BANDS, BAND_ROWS = 4, 16  # of the output, likewise
FAR_COLUMN = 1024  # from here on half counts whole pixels


@dataclass(frozen=True)
class BenchConfig:
    """At which frame size, and where the results go."""

    size: str = "1280x720"
    output: Path = report.ROOT / "benchmarks" / "results" / "coordinates.csv"


def window_of(width: int, height: int) -> Floats:
    """Return seven frames of the bundled clip at this size, [1, 7, H, W] in [0, 1]."""
    with av.open(str(DEMO)) as container:
        frames = [frame.reformat(width, height, "gray").to_ndarray() for frame in islice(container.decode(video=0), 7)]
    return np.stack(frames)[None].astype(np.float32) / 255


def tensors_of(nodes: Sequence[onnx.NodeProto], model: onnx.ModelProto, window: Floats) -> list[list[Floats]]:
    """Run the network and return what each of these nodes reads: x, weight, offset, bias and mask."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    computed = list(dict.fromkeys(node.input[i] for node in nodes for i in (X, OFFSET, MASK)))
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in computed)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    found = {name: value[0] for name, value in zip(computed, session.run(None, {FLOAT_WINDOW: window}), strict=True)}
    found |= {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return [[found[name] for name in node.input] for node in nodes]


def rows_of(case: str, problem: Problem, tensors: list[Floats], size: str) -> Iterator[Mapping[str, Any]]:
    """Measure every scheme on one deformable convolution."""
    exact = in_bands(types.EXACT, problem, tensors)
    for name, scheme in SCHEMES.items():
        error = in_bands(scheme, problem, tensors).astype(np.float64) - exact
        figures = {"psnr_db": psnr_db(error, exact), "far_psnr_db": psnr_db(error[..., FAR_COLUMN:], exact)}
        print(f"{case}: {name:18} {figures}", flush=True)
        yield {"case": case, "size": size, "rows": exact.shape[1], "scheme": name, **figures, **here()}


def in_bands(scheme: types.Arithmetic, problem: Problem, tensors: list[Floats]) -> Floats:
    """Return the first outputs of some bands of rows, spread from top to bottom, [N_OUTPUTS, rows, W]."""
    x, weight, offset, bias, mask = tensors
    small = replace(problem, c_out=N_OUTPUTS)
    last = max(offset.shape[1] - BAND_ROWS, 0)
    tops = sorted({round(last * i / (N_BANDS - 1)) for i in range(N_BANDS)})
    bands = []
    for top in tops:
        rows = slice(top, top + BAND_ROWS)
        inputs = (x, weight[:N_OUTPUTS], offset[:, rows], bias[:N_OUTPUTS], mask[:, rows])
        bands.append(types.emulated(scheme, small, *inputs, first_row=top))
    return np.concatenate(bands, axis=1)


def psnr_db(error: Floats, exact: Floats) -> str:
    """Return 10 log10(peak^2 / mean squared error), where peak is the range of the exact result; "" of no pixel."""
    return f"{10 * np.log10(np.ptp(exact) ** 2 / np.mean(error**2)):.1f}" if error.size else ""


def here() -> Mapping[str, str]:
    """Return the columns that say where and when."""
    row = report.row("", "", "", "", report.Timing(0, 0, 0), ("numpy", "onnxruntime"))
    return {name: getattr(row, name) for name in ("machine", "versions", "git_sha", "date")}


def noise(width: int, height: int) -> tuple[Problem, list[Floats]]:
    """Return the worst that can be: pixels that know nothing of their neighbors, displaced by 2 px, any mask."""
    random = np.random.default_rng(0)
    problem = Problem(3, N_OUTPUTS, (3, 3), pads=(1, 1, 1, 1), offset_group=3, mask="values")
    x_shape, weight_shape, offset_shape, _, mask_shape, _ = problem.shapes(1, height, width)
    weight = random.standard_normal(weight_shape, np.float32) / np.float32(27**0.5)
    x, mask = (random.random(shape[1:], np.float32) for shape in (x_shape, mask_shape))
    offset = 2 * random.standard_normal(offset_shape[1:], np.float32)
    return problem, [x, weight, offset, np.zeros(N_OUTPUTS, np.float32), mask]


def bench(config: BenchConfig) -> Iterator[Mapping[str, Any]]:
    """Measure every deformable convolution of the network, and one of noise."""
    width, height = map(int, config.size.split("x"))
    model, window = float_graph(network_from_checkpoint(load_checkpoint(CHECKPOINT))), window_of(width, height)
    known = value_types(model)
    nodes = list(filter(is_standard, model.graph.node))
    for node, tensors in zip(nodes, tensors_of(nodes, model, window), strict=True):
        problem = problem_from_node(node, known)
        case = f"{problem.channels} channels, {problem.kernel[0]}x{problem.kernel[1]}"
        yield from rows_of(case, problem, tensors, config.size)
    yield from rows_of("3 channels, 3x3, noise", *noise(width, height), config.size)


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default=BenchConfig.size, help="of the frames [%(default)s]")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to write [%(default)s]")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure, and write a new CSV once all is measured."""
    config = parse_args(argv)
    report.write_rows(config.output, list(bench(config)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
