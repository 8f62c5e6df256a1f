"""Time ONNX DeformConv as TGAFNet uses it, on every CPU path.

$ python benchmarks/bench_deform_conv.py
$ python benchmarks/bench_deform_conv.py --size 1280x720 --rounds 7

Four metrics. "operation": a model of DeformConv alone, float32 planes in and out. "block": as a network uses it, with
the 3x3 convolution that predicts offset and mask from 64 channels, and the sigmoid. "sampling": our sampler without a
model around it. "warp": two of four frames moved, the weights an identity, with the 1x1 convolution that predicts
displacements in cells of 8x8 pixels, and a strided one after it. Runs are interleaved. Where an output differs from
ONNX Runtime's, nothing is reported. The table goes to stdout, rows are added to the CSV.
"""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper
from openvino.frontend import ConversionExtension

from benchmarks import report
from plugins.deform_conv.openvino_extension import DeformConv, builtin, extensions
from plugins.deform_conv.sampler import Geometry, MaskKind, Sampler, allowed_cpus

FEATURES = 64
SHAPES = [(3, 1), (3, 3), (3, 5), (64, 1)]  # channels, which are the offset groups too, and kernel size
OFFSET_PX = 2.0
WARPED, CELL = 2, 8  # frames a warp moves, pixels across the cells its displacements are predicted in
HEAD_PX = 4  # across what one output of the convolution after it sees
# outputs are near 1; sums of up to 576 float32 products, and float32 coordinates up to 1280, good to 6e-5 px
FP32_ATOL = 1e-3
# offsets near 2 px rounded to 8 bits move samples by 0.004 px; every other tensor is rounded to 0.2 %
BF16_RELATIVE_RMS = 0.02
PACKAGES = ("onnxruntime", "openvino", "llvmlite")


@dataclass(frozen=True)
class BenchConfig:
    """What to measure."""

    size: str = "416x240"
    rounds: int = 11
    output: Path = report.ROOT / "benchmarks" / "results" / "deform_conv.csv"


@dataclass(frozen=True)
class Block:
    """One DeformConv, its inputs, and the models that hold it."""

    channels: int
    kernel: int
    inputs: dict[str, Any]
    weights: dict[str, Any]

    @property
    def geometry(self) -> Geometry:
        """The kernel's taps."""
        return Geometry((self.kernel, self.kernel), pads=(self.kernel // 2,) * 4)

    def operation(self) -> tuple[bytes, dict[str, Any]]:
        """Return a model of DeformConv alone, and its inputs."""
        return self._model([], ["x", "offset", "mask"])

    def block(self) -> tuple[bytes, dict[str, Any]]:
        """Return a model that predicts offset and mask, and its inputs."""
        nodes = [
            helper.make_node("Conv", ["features", "predict", "predict_bias"], ["both"], pads=[1, 1, 1, 1]),
            helper.make_node("Split", ["both", "lengths"], ["offset", "logits"], axis=1),
            helper.make_node("Sigmoid", ["logits"], ["mask"]),
        ]
        return self._model(nodes, ["x", "features"])

    def _model(self, nodes: list[Any], inputs: list[str]) -> tuple[bytes, dict[str, Any]]:
        deform = helper.make_node(
            "DeformConv",
            ["x", "weight", "offset", "bias", "mask"],
            ["y"],
            kernel_shape=self.geometry.kernel,
            pads=self.geometry.pads,
            offset_group=self.channels,
        )
        nodes = [*nodes, deform]
        feeds = {name: self.inputs[name] for name in inputs}
        used = {name for node in nodes for name in node.input}
        constants = {name: array for name, array in self.weights.items() if name in used}
        return onnx_model(nodes, feeds, constants), feeds


def make_block(channels: int, kernel: int, height: int, width: int) -> Block:
    """Return random inputs: pictures with detail, offsets that differ in every pixel."""
    rng = np.random.default_rng(0)
    n_samples = channels * kernel**2

    def normal(*shape: int) -> Any:
        return rng.standard_normal(shape, np.float32)

    coarse = rng.random((1, max(channels, FEATURES), height // 8, width // 8), np.float32)
    picture = np.kron(coarse, np.ones((1, 1, 8, 8), np.float32)) + 0.1 * normal(1, len(coarse[0]), height, width)
    predict = normal(3 * n_samples, FEATURES, 3, 3) / np.sqrt(FEATURES * 9, dtype=np.float32)
    predict -= predict.mean((1, 2, 3), keepdims=True)  # or the picture's mean would move all samples one way
    predict[: 2 * n_samples] *= 2 * OFFSET_PX
    logits = normal(1, n_samples, height, width)
    return Block(
        channels,
        kernel,
        inputs={
            "x": picture[:, :channels],
            "features": picture[:, :FEATURES],
            "offset": OFFSET_PX * normal(1, 2 * n_samples, height, width),
            "mask": 1 / (1 + np.exp(-logits)),
        },
        weights={
            "weight": normal(FEATURES, channels, kernel, kernel) / np.sqrt(n_samples, dtype=np.float32),
            "bias": normal(FEATURES),
            "predict": predict,
            "predict_bias": np.zeros(3 * n_samples, np.float32),
            "lengths": np.array([2 * n_samples, n_samples]),
        },
    )


def warp_model(height: int, width: int) -> tuple[bytes, dict[str, Any]]:
    """Return a model that moves every other one of four frames and convolves them, and its inputs."""
    rng = np.random.default_rng(0)
    n_displacements = 2 * WARPED * CELL**2
    predict = rng.standard_normal((n_displacements, FEATURES, 1, 1), np.float32) / np.sqrt(FEATURES, dtype=np.float32)
    constants = {
        "predict": np.float32(OFFSET_PX) * predict,
        "head": rng.standard_normal((WARPED, WARPED, HEAD_PX, HEAD_PX), np.float32) / np.float32(HEAD_PX),
        "identity": np.eye(WARPED, dtype=np.float32)[:, :, None, None],
        **{name: np.array([value]) for name, value in (("first", 1), ("end", 2 * WARPED), ("axis", 1), ("step", 2))},
    }
    frames = make_block(2 * WARPED, 1, height, width).inputs["x"]
    features = rng.standard_normal((1, FEATURES, height // CELL, width // CELL), np.float32)
    feeds = {"frames": frames, "features": features}
    nodes = [
        helper.make_node("Slice", ["frames", "first", "end", "axis", "step"], ["neighbors"]),
        helper.make_node("Conv", ["features", "predict"], ["cells"]),
        helper.make_node("DepthToSpace", ["cells"], ["displacement"], blocksize=CELL, mode="CRD"),
        helper.make_node("DeformConv", ["neighbors", "identity", "displacement"], ["warped"], offset_group=WARPED),
        # OpenVINO computes in float32 from the last convolution on, which in a network comes later
        helper.make_node("Conv", ["warped", "head"], ["y"], strides=[HEAD_PX, HEAD_PX]),
    ]
    return onnx_model(nodes, feeds, constants), feeds


def onnx_model(nodes: list[Any], feeds: dict[str, Any], constants: dict[str, Any]) -> bytes:
    """Return a model from feeds to y."""
    graph = helper.make_graph(
        nodes,
        "deform_conv",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in feeds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    return bytes(model.SerializeToString())


def providers(model: bytes, feeds: dict[str, Any], with_bf16: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield a name and a function that returns y, ONNX Runtime first."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    yield "onnxruntime fp32", lambda: session.run(None, feeds)[0]
    builtin = [ConversionExtension("DeformConv", builtin_node)]
    for name, hint, extension in (
        ("openvino builtin fp32", "f32", builtin),
        ("openvino ours fp32", "f32", extensions("f32")),
        ("openvino builtin bf16", "bf16", builtin),
        ("openvino ours bf16", "bf16", extensions("bf16")),
    ):
        if hint == "f32" or with_bf16:
            yield name, openvino_runner(model, feeds, hint, extension)


def builtin_node(node: Any) -> list[Any]:
    """Map a DeformConv onto OpenVINO's own operation."""
    return [builtin(DeformConv.from_node(node)).output(0)]


def openvino_runner(model: bytes, feeds: dict[str, Any], hint: str, extension: list[Any]) -> Callable[[], Any]:
    """Compile for the CPU; the returned function gives a view that its next call overwrites."""
    core = openvino.Core()
    core.add_extension(extension)
    settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()
    return lambda: request.infer(feeds, share_inputs=True, share_outputs=True)[0]


def samplers(block: Block) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield our sampler without a model, in both types; bfloat16 x only where channels pair up."""
    sampler = Sampler(len(allowed_cpus()))
    arrays = [np.ascontiguousarray(np.moveaxis(block.inputs[name], 1, 3)) for name in ("x", "offset", "mask")]
    halves = [(array.view(np.uint32) >> 16).astype(np.uint16) for array in arrays]
    if block.channels % 2:
        halves[0] = arrays[0]
    for name, (x, offset, mask) in (("sampler fp32", arrays), ("sampler bf16", halves)):
        samples = np.empty_like(mask)
        yield name, functools.partial(sampler, x, offset, mask, samples, block.geometry, MaskKind.LOGITS)


def check(name: str, y: Any, expected: Any) -> None:
    """Stop where an output is not what ONNX Runtime says."""
    error = np.abs(y - expected)
    if "bf16" in name:
        relative_rms = float(np.sqrt((error**2).mean() / expected.var()))
        assert relative_rms < BF16_RELATIVE_RMS, f"{name} is off by {relative_rms:.3f} of the output's deviation"
    else:
        assert error.max() < FP32_ATOL, f"{name} is off by up to {error.max():.1e}"


def bench(config: BenchConfig) -> Iterator[report.Row]:
    """Measure case by case; prints a table as it goes."""
    width, height = (int(side) for side in config.size.split("x"))
    with_bf16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for channels, kernel in SHAPES:
        block = make_block(channels, kernel, height, width)
        case = f"{channels}ch K={kernel} {config.size}"
        for metric, (model, feeds) in (("operation", block.operation()), ("block", block.block())):
            # alone, a bfloat16 DeformConv would mostly convert its float32 inputs
            yield from compared(case, metric, dict(providers(model, feeds, with_bf16 and metric == "block")), config)
        yield from measured(case, "sampling", dict(samplers(block)), config.rounds)
    warp = dict(providers(*warp_model(height, width), with_bf16))
    yield from compared(f"{WARPED} of {2 * WARPED} frames {config.size}", "warp", warp, config)


def compared(
    case: str, metric: str, runners: dict[str, Callable[[], Any]], config: BenchConfig
) -> Iterator[report.Row]:
    """Check every output against ONNX Runtime's, then time them."""
    expected = runners["onnxruntime fp32"]()
    for name, runner in runners.items():
        check(name, runner(), expected)
    yield from measured(case, metric, runners, config.rounds)


def measured(case: str, metric: str, runners: dict[str, Callable[[], Any]], rounds: int) -> Iterator[report.Row]:
    """Time the runners in turn, print and yield the rows."""
    timings = report.interleaved_ms(runners, rounds)
    print(f"{case}: {metric}\n{report.table(timings)}", flush=True)
    for provider, timing in timings.items():
        yield report.row(case, provider, metric, "ms", timing, PACKAGES)


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default=BenchConfig.size, help="width x height, multiples of 8 [%(default)s]")
    parser.add_argument("--rounds", type=int, default=BenchConfig.rounds, help="runs of each path [%(default)s]")
    parser.add_argument("--output", type=Path, default=BenchConfig.output, help="CSV to add rows to [%(default)s]")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write the rows: all or none."""
    config = parse_args(argv)
    report.append_rows(config.output, list(bench(config)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
