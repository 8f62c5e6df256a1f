"""Compare who writes the INT8 file: calibration/, onnxruntime.quantization, NNCF or NVIDIA ModelOpt.

$ pip install nncf==3.4.0 'nvidia-modelopt[onnx]==0.47.0'
$ python benchmarks/bench_quantisers.py --clips TRAIN_CLIPS --coded data/train
$ python benchmarks/bench_quantisers.py --clips TRAIN_CLIPS --coded data/train --recoveries

All see the same frames of training clips; libraries round the convolutions that they choose, or those of
calibration/placement.py. All are judged on the same windows of clips held back: PSNR lost against float32, and how many
times as fast as the network runs here by itself, in turns. A library that is not installed is left out, and that is
said.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.optional_library import MissingLibraryError
from benchmarks.quantiser_cases import QuantiserCase, library_cases, own_cases, recovery_cases
from benchmarks.quantiser_rows import Bench, Judged, Row
from calibration.frame_options import add_frame_options
from calibration.run import CalibrationConfig, read_frames, refuse_unfit
from calibration.sized import Size
from cvqe.errors import CvqeError, ExitCode
from runtime.model_file import load_model_file
from runtime.option_values import frame_size, whole_number
from training.evaluation.csv_rows import write_csv

LIBRARIES = tuple(dict.fromkeys(case.library for case in library_cases()))


@dataclass(frozen=True)
class BenchConfig:
    """What to quantise, on what, and where the results go."""

    clips: Path
    coded: Path
    onnx: Path = report.ROOT / "weights" / "live.onnx"
    libraries: Sequence[str] = LIBRARIES
    qps: Sequence[int] | None = None
    n_frames: int = CalibrationConfig.n_frames
    n_judged: int = CalibrationConfig.n_judged
    seed: int = CalibrationConfig.seed
    sizes: Sequence[Size] = ((240, 416), (720, 1280))
    rounds: int = 40
    recoveries: bool = False
    output: Path | None = None

    @property
    def table(self) -> Path:
        """The CSV file to write."""
        name = "int8_recovery" if self.recoveries else "quantisers"
        return self.output or report.ROOT / "benchmarks" / "results" / f"{name}.csv"


def bench(config: BenchConfig) -> list[Row]:
    """Measure every way whose library is here, ours first; all are timed together, at the end.

    Raises:
        CvqeError: the network or its frames can't be what they are asked to be.
    """
    place = open_bench(config)
    others = [case for case in library_cases() if case.library in config.libraries]
    cases = recovery_cases() if config.recoveries else own_cases() + others
    return place.rows(list(judged(place, cases)))


def judged(place: Bench, cases: Sequence[QuantiserCase]) -> Iterator[Judged]:
    """Quantise in every way whose library is here; say which are left out."""
    for case in cases:
        try:
            found = place.judged(case)
        except MissingLibraryError as error:
            print(f"{case}: left out, {error}", file=sys.stderr)
            continue
        print(f"{case}: {found.verdict.mean_loss_db:+.4f} dB lost, {found.seconds:.0f} s", file=sys.stderr)
        yield found


def open_bench(config: BenchConfig) -> Bench:
    """Read the network, and the frames that calibration/calibrate.py would draw for it."""
    source = load_model_file(config.onnx)
    refuse_unfit(source)
    drawn = CalibrationConfig(
        config.onnx,
        config.clips,
        config.coded,
        qps=config.qps,
        n_frames=config.n_frames,
        n_judged=config.n_judged,
        seed=config.seed,
    )
    sizes = () if config.recoveries else config.sizes  # they differ in numbers, and not in what is computed
    return Bench(source, read_frames(drawn, source.manifest), sizes, config.rounds)


def show(row: Row) -> None:
    """Print what matters of a row, on one line."""
    what = f"{row['library']}, {row['method']}; {row['placement']}"
    speeds = ", ".join(value for name, value in row.items() if name.startswith("speedup") and value)
    print(f"{what:64} {row['mean_loss_db']} dB lost, {row['worst_loss_db']} on {row['worst_clip']}; {speeds} times")


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default, add = BenchConfig, parser.add_argument
    add_frame_options(parser, default)
    add("--onnx", type=Path, default=default.onnx, help="network in fp32 [live's]")
    add("--libraries", nargs="*", choices=LIBRARIES, default=default.libraries, help=f"[{' '.join(LIBRARIES)}]")
    add("--sizes", type=frame_size, nargs="+", default=default.sizes, metavar="WxH", help="timed [416x240 1280x720]")
    add("--rounds", type=whole_number(1), default=default.rounds, help="of timing [%(default)s]")
    add("--recoveries", action="store_true", help="compare our own observers and recoveries instead")
    add("--output", type=Path, default=default.output, help="CSV to write [quantisers.csv or int8_recovery.csv]")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure and write the CSV, whole or not at all; our own errors become one message."""
    config = parse_args(argv)
    try:
        rows = bench(config)
    except CvqeError as error:
        print(f"bench_quantisers: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("bench_quantisers: stopped; nothing was written", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    for row in rows:
        show(row)
    write_csv(config.table, rows)
    print(config.table)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    raise SystemExit(main())
