"""Time INT8 against 16 bits under OpenVINO: convolutions alone, and whole networks that have a calibrated version.

$ python benchmarks/bench_int8.py
$ python benchmarks/bench_int8.py --pair out/tgafnet.onnx --sizes 416x240 --rounds 9

Convolutions: eight of 3x3 over 64 channels, each with its LeakyReLU, in a row, at 416x240 and on the grids of `live`
for pictures of the sizes asked for; in INT8 the first one's input is rounded, and the last one's output is float again.
Networks: NAME.onnx beside NAME_int8.onnx, one window at a time. Both precisions run in turns.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
import openvino
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.bench_stream import guide_of, window_of
from benchmarks.conv_chain import CHANNELS, conv_chain
from calibration.layer_sqnr import sqnr_db
from calibration.sized import Size
from calibration.speed import times_ms
from cvqe.errors import BackendError, CvqeError, ExitCode, UsageError
from runtime.backends.openvino_cpu import CAPABILITIES, DEVICE, capabilities
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import ModelFile, load_model_file
from runtime.option_values import frame_size, whole_number
from runtime.quantised_file import quantised_versions

QP = 37.0
PACKAGES = ("openvino",)
CELLS = (4, 8, 16)  # of live's grids, pixels
PLAIN_SIZE = (240, 416)  # of the convolutions that are no network's
PRECISIONS = ("bf16", "int8")
# of INT8 beside bf16: rounding leaves 22 dB behind eight layers; another network, or wrong scales, 0 and less
LEAST_SQNR_DB = 15.0
Runs = Mapping[str, Callable[[], object]]
Pair = tuple[ModelFile, ModelFile]


@dataclass(frozen=True)
class Int8Config:
    """What to measure."""

    pair: tuple[Path, ...] = (report.ROOT / "weights" / "live.onnx",)
    sizes: tuple[Size, ...] = ((240, 416), (720, 1280))
    rounds: int = 40
    threads: int = 2
    output: Path = report.ROOT / "benchmarks" / "results" / "int8_speed.csv"


def refuse_missing_precision() -> None:
    """Check that this CPU computes in both precisions: OpenVINO takes a hint of another, and computes in float32.

    Raises:
        BackendError: it lacks one.
    """
    offered = capabilities(openvino.Core())
    for precision in PRECISIONS:
        if CAPABILITIES[precision] not in offered:
            raise BackendError(
                f"this CPU does not compute in {precision} ({', '.join(offered)}), so there is nothing to compare: "
                f"{' and '.join(PRECISIONS)} were expected."
            )


def load_pairs(paths: Sequence[Path]) -> list[Pair]:
    """Read networks and what stands beside them.

    Raises:
        CvqeError: one is not there, is calibrated itself, or what is beside it was calibrated from another network.
    """
    networks = [load_model_file(path) for path in paths]
    for network in networks:
        if network.manifest.is_quantised:
            raise UsageError(f"{network.path} is calibrated already; name the network that it was calibrated from.")
    return [(network, *quantised_versions([network], "int8")) for network in networks]


def conv_runs(height: int, width: int, threads: int) -> Mapping[str, Callable[[], NDArray[np.float32]]]:
    """Return the convolutions alone, by precision.

    Raises:
        BackendError: INT8 computes something else than bf16.
    """
    x = np.random.default_rng(0).standard_normal((1, CHANNELS, height, width), np.float32)
    settings = {"INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    core = openvino.Core()
    runs = {}
    for precision in PRECISIONS:
        model = core.read_model(conv_chain(height, width, precision == "int8").SerializeToString())
        request = core.compile_model(model, DEVICE, settings).create_infer_request()
        runs[precision] = partial(infer, request, x)
    refuse_other_output(*(run() for run in runs.values()))
    return runs


def infer(request: openvino.InferRequest, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the first output, in the request's own memory."""
    output: NDArray[np.float32] = request.infer({0: openvino.Tensor(x, shared_memory=True)}, share_outputs=True)[0]
    return output


def refuse_other_output(exact: NDArray[np.float32], rounded: NDArray[np.float32]) -> None:
    """Check that what is timed computes the same.

    Raises:
        BackendError: it does not.
    """
    found = sqnr_db(float(np.square(exact).sum()), float(np.square(exact - rounded).sum()))
    if not found >= LEAST_SQNR_DB:  # NaN neither
        raise BackendError(
            f"INT8 convolutions are {found:.1f} dB away from bf16 ones; {LEAST_SQNR_DB:.0f} dB or more were expected, "
            "so their speed says nothing."
        )


def network_runs(pair: Pair, height: int, width: int, threads: int) -> Runs:
    """Return a network and its calibrated version on one window, by precision."""
    runs = {}
    for model in pair:
        window = window_of(width, height, model.manifest.window_frames)
        engine = open_engine(EngineRequest(model, height, width, threads=threads), "openvino").engine
        runs[engine.precision] = partial(engine.enhance, window, QP, guide_of(window, model.manifest))
    return runs


def cases(config: Int8Config, pairs: Sequence[Pair]) -> Iterator[tuple[str, Runs]]:
    """Yield what is timed, one engine pair in memory at a time."""
    height, width = PLAIN_SIZE
    yield f"8 convolutions, {width}x{height}", conv_runs(height, width, config.threads)
    for height, width in config.sizes:
        for cell in CELLS:
            rows, columns = -(-height // cell), -(-width // cell)
            yield f"8 convolutions, 1/{cell} of {width}x{height}", conv_runs(rows, columns, config.threads)
        for pair in pairs:
            yield f"{pair[0].path.stem}, {width}x{height}", network_runs(pair, height, width, config.threads)


def bench(config: Int8Config) -> Iterator[report.Row]:
    """Measure everything asked for, printing as it goes.

    Raises:
        CvqeError: this CPU lacks a precision, or a pair of files is none.
    """
    refuse_missing_precision()
    for case, runs in cases(config, load_pairs(config.pair)):
        times = times_ms(runs, config.rounds)
        for precision, own in times.items():
            timing = report.Timing.of(own)
            print(f"{case:32} {precision:6} {timing.median:9.2f} ms   ({timing.p20:.2f} to {timing.p80:.2f})")
            yield report.row(case, f"openvino {precision}", "time", "ms", timing, PACKAGES)
        before, after = times.values()
        ratios = report.Timing.of(slow / fast for slow, fast in zip(before, after, strict=True))
        print(f"{case:32} {ratios.median:.2f} times as fast")
        yield report.row(case, f"openvino {list(times)[1]}", "speedup", "", ratios, PACKAGES)


def parse_args(argv: list[str] | None = None) -> Int8Config:
    """Read the command line; unset options keep Int8Config's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Int8Config
    parser.add_argument("--pair", type=Path, nargs="+", default=default.pair, help="networks, FILE.onnx [live's]")
    parser.add_argument(
        "--sizes", type=frame_size, nargs="+", default=default.sizes, metavar="WxH", help="[416x240 1280x720]"
    )
    parser.add_argument("--rounds", type=whole_number(1), default=default.rounds, help="[%(default)s]")
    parser.add_argument("--threads", type=whole_number(1), default=default.threads, help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to add to [%(default)s]")
    return Int8Config(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure and add rows to the CSV, all or none; our own errors become one message."""
    config = parse_args(argv)
    try:
        rows = list(bench(config))
    except CvqeError as error:
        print(f"bench_int8: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("bench_int8: stopped; nothing was written", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    report.append_rows(config.output, rows)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    raise SystemExit(main())
