"""A network beside its quantised version: what each gains on coded clips, layer by layer, how fast, how large.

OUTPUT/quality.csv       clip, configuration, QP, precision: PSNR, SSIM, PVD, SD, before and after
OUTPUT/layers.csv        SQNR of every quantised layer
OUTPUT/speed.csv         frames a second of every backend here that runs both
OUTPUT/files.csv         bytes
OUTPUT/comparison.md     tables of all of it, and comparison.png beside it
OUTPUT/evaluation/       what the first is made of, kept by the next run into the same folder
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from calibration.backend_speed import backend_speeds
from calibration.comparison_chart import write_chart
from calibration.comparison_page import comparison_page
from calibration.computing import EMULATED_BY, computing_backend
from calibration.layer_sqnr import layer_sqnr
from calibration.layer_titles import layer_titles
from calibration.samples import feeds, read_samples
from cvqe.errors import UsageError
from cvqe.whole_file import write_whole
from runtime.model_file import ModelFile, load_model_file
from runtime.quantised_file import quantised_path, refuse_other_source
from training.evaluation.cases import Case, find_cases
from training.evaluation.csv_rows import result_row, write_csv
from training.evaluation.evaluation import Evaluation, Hooks, evaluate
from training.evaluation.plot_style import refuse_missing_matplotlib
from training.evaluation.provenance import provenance
from training.evaluation.reports import load_results
from training.evaluation.results import Result

SQNR_FRAME = 5  # of each coded clip, the target that layers are measured on
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What to compare, on what, and where to keep it.

    Attributes:
        quantised: None: FILE_int8.onnx beside FILE.onnx.
        sizes: (height, width) of the frames that are timed.
    """

    onnx: Path
    clips: Path
    coded: Path
    output: Path
    quantised: Path | None = None
    configuration: tuple[str, ...] = ("ldp",)
    qp: tuple[int, ...] = (22, 27, 32, 37, 42)
    only: tuple[str, ...] = ()
    frames: int | None = None
    sizes: tuple[tuple[int, int], ...] = ((240, 416), (720, 1280))
    rounds: int = 30
    workers: int = 1


def compare(config: Comparison, command: str, hooks: Hooks) -> Path:
    """Measure everything and write it; returns the page of tables.

    Args:
        command: what was typed, for the rows of results.

    Raises:
        CvqeError: a file or a clip is missing or does not fit, or nothing here runs the networks.
    """
    refuse_missing_matplotlib()
    exact, rounded = load_pair(config)
    cases = find_cases(config.clips, config.coded, config.configuration, config.qp, config.only)
    origin = asdict(provenance(command))
    found: dict[str, list[Row]] = {
        "quality": quality_rows(config, exact, rounded, command, hooks),
        "layers": [{**row, **origin} for row in layer_rows(exact, rounded, cases)],
        "speed": [{**row, **origin} for row in speed_rows(config, exact, rounded, cases[0])],
        "files": [{**row, **origin} for row in file_rows(exact, rounded)],
    }
    for name, rows in found.items():
        write_csv(config.output / f"{name}.csv", rows)
    write_chart(found["quality"], found["layers"], config.output / "comparison.png")
    page = config.output / "comparison.md"
    write_whole(page, comparison_page(**found).encode())
    return page


def load_pair(config: Comparison) -> tuple[ModelFile, ModelFile]:
    """Read both files.

    Raises:
        UsageError, ModelError: one is not there, is none of ours, or the second is not the first, quantised.
    """
    exact = load_model_file(config.onnx)
    rounded = load_model_file(config.quantised or quantised_path(config.onnx, "int8"))
    if exact.manifest.is_quantised or not rounded.manifest.is_quantised:
        raise UsageError(
            f"{exact.path} computes in {exact.manifest.precision}, {rounded.path} in {rounded.manifest.precision}; a "
            "network and its calibrated version were expected, in this order."
        )
    refuse_other_source(rounded, exact)
    return exact, rounded


def quality_rows(config: Comparison, exact: ModelFile, rounded: ModelFile, command: str, hooks: Hooks) -> list[Row]:
    """Evaluate three subjects: the network in float32, as it runs by itself (16 bits, where there are), quantised.

    Rows of earlier runs into the same folder, of other codings and clips, come with them.
    """
    backend, folder = computing_backend(rounded) or EMULATED_BY, config.output / "evaluation"
    for model, precision in ((exact, "fp32"), (exact, "auto"), (rounded, "auto")):
        evaluation = Evaluation(
            clips=config.clips,
            coded=config.coded,
            output=folder,
            model=(f"{exact.path.stem}={model.path}",),
            configuration=config.configuration,
            qp=config.qp,
            only=config.only,
            frames=config.frames,
            backend=backend,
            precision=precision,
            plots=False,
            workers=config.workers,
        )
        evaluate(evaluation, command, hooks)
    networks, alike = {exact.sha256, rounded.sha256}, (backend, config.frames)
    found = [result for result in load_results(folder)[0] if result.after.subject.sha256 in networks]
    rows: list[Row] = [result_row(result) for result in found if _measured_by(result) == alike]
    if len(rows) < len(found):
        hooks.on_note(f"{len(found) - len(rows)} results are left out: of another backend, or of other --frames")
    return rows


def _measured_by(result: Result) -> tuple[str, int | None]:
    """Return what must be the same for two results to be averaged: the backend, and how many frames were asked for."""
    return result.after.subject.backend, result.case.first_frames


def layer_rows(exact: ModelFile, rounded: ModelFile, cases: Sequence[Case]) -> Iterator[Row]:
    """Measure each quantised layer on one window of every coded clip."""
    reference, quantised = (onnx.load_from_string(model.content) for model in (exact, rounded))
    manifest = exact.manifest
    windows = (feeds(sample, manifest) for case in cases for sample in read_samples(case, [SQNR_FRAME], manifest))
    titles = layer_titles(reference)
    for layer in layer_sqnr(reference, quantised, windows):
        yield {
            "network": exact.path.stem,
            "title": titles[layer.layer],
            **asdict(layer),
            "sqnr_db": f"{layer.sqnr_db:.2f}",
            "windows": len(cases),
        }


def speed_rows(config: Comparison, exact: ModelFile, rounded: ModelFile, case: Case) -> Iterator[Row]:
    """Time both on a window of the first clip; empty where nothing here computes in the precision."""
    (sample,) = read_samples(case, [SQNR_FRAME], exact.manifest)
    for found in backend_speeds(exact, rounded, sample, config.sizes, config.rounds):
        numbers = {name: f"{getattr(found, name):.3f}" for name in ("ms_per_frame", "frames_per_s", "speedup")}
        yield {"network": exact.path.stem, **asdict(found), **numbers}


def file_rows(exact: ModelFile, rounded: ModelFile) -> Iterator[Row]:
    """Return what each file holds and how large it is."""
    for model in (exact, rounded):
        told = model.manifest
        yield {
            "file": model.path.name,
            "precision": told.precision,
            "bytes": len(model.content),
            "sha256": model.sha256,
        }
