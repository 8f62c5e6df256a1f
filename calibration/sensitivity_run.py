"""The sensitivity sweep from files to files: frames drawn, layers measured, a CSV file, a chart."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from calibration.layer_loss import layer_losses
from calibration.quantiser import QuantiserOptions
from calibration.run import CalibrationConfig, read_frames, refuse_unfit
from calibration.sensitivity_plot import sensitivity_figure
from cvqe.errors import UsageError
from cvqe.whole_file import refuse_missing_folder, write_whole
from runtime.model_file import load_model_file
from training.evaluation.csv_rows import write_csv
from training.evaluation.plot_style import png_from_figure, refuse_missing_matplotlib
from training.evaluation.provenance import provenance

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SweepConfig:
    """What to sweep, on what, and where results go; None: beside the others, by the network's name."""

    onnx: Path
    clips: Path
    coded: Path
    to: str = "int8"
    n_frames: int = 30
    n_judged: int = 30
    configurations: Sequence[str] = CalibrationConfig.configurations
    qps: Sequence[int] | None = None
    only: Sequence[str] = ()
    seed: int = 0
    csv: Path | None = None
    chart: Path | None = None
    draw_only: bool = False

    @property
    def name(self) -> str:
        """Of the network and what it is rounded to, as in names of files."""
        return f"{self.to}_sensitivity_{self.onnx.stem}"


def sweep(config: SweepConfig, command: str) -> Iterator[str]:
    """Measure every convolution and draw the chart; yield a line for each, and the files.

    Args:
        command: what was typed, for the rows of results.

    Raises:
        CvqeError: files can't be what they are asked to be, or matplotlib is not installed.
    """
    refuse_missing_matplotlib()
    table = config.csv or ROOT / "benchmarks" / "results" / f"{config.name}.csv"
    chart = config.chart or ROOT / "docs" / "plots" / f"{config.name}.png"
    refuse_missing_folder(chart)
    if not config.draw_only:
        refuse_missing_folder(table)
        rows = []
        for row in _measured(config):
            rows.append(row)
            yield f"{row['title']:36} {row['mean_loss_db']:>8} dB  {row['role']}"
        origin = asdict(provenance(command))
        write_csv(table, [{**row, **origin} for row in rows])
        yield str(table)
    write_whole(chart, drawn(measured(table)))
    yield str(chart)


def measured(path: Path) -> list[dict[str, str]]:
    """Return the rows of a sweep's CSV file.

    Raises:
        UsageError: there is none.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not there to be drawn; measure first, without --draw-only.")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def drawn(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Return the chart of a CSV file's rows as a PNG file."""
    network, to = rows[0]["network"], rows[0]["to"]
    return png_from_figure(sensitivity_figure(rows, f"{network} in {to}"))


def _measured(config: SweepConfig) -> Iterator[dict[str, str]]:
    source = load_model_file(config.onnx)
    refuse_unfit(source)
    asked = CalibrationConfig(
        config.onnx,
        config.clips,
        config.coded,
        config.to,
        configurations=config.configurations,
        qps=config.qps,
        only=config.only,
        n_frames=config.n_frames,
        n_judged=config.n_judged,
        seed=config.seed,
    )
    frames = read_frames(asked, source.manifest)
    options = QuantiserOptions(config.to, seed=config.seed)
    model = onnx.load_from_string(source.content)
    common = {"network": source.path.stem, "to": config.to, "windows": str(config.n_judged)}
    for loss in layer_losses(model, source.manifest, frames.calibrated_on, frames.judged_on, options):
        numbers = {name: f"{getattr(loss, name):.5f}" for name in ("mean_loss_db", "worst_loss_db")}
        yield {**common, **asdict(loss), **numbers}
