"""Rows of a study's trained and measured variants: their means, their clips, and one clip's frames."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

from cvqe.file_digest import sha256_of
from cvqe.macs import count_macs
from cvqe.models import create, takes_guide
from training.evaluation.csv_rows import write_csv
from training.evaluation.network_windows import GRID, UNITS, guide_settings
from training.evaluation.reports import load_results
from training.evaluation.results import Result
from training.evaluation.stability import pvd_db, sd_db
from training.recipe import NetworkRecipe
from training.study.measured_file import is_ready, measured_file
from training.study.study_file import Study
from training.study.trained_variant import TrainedVariant

Row = dict[str, Any]
MACS_SIZE = (240, 416)  # height and width, of the papers' figures


@dataclass(frozen=True)
class Measured:
    """One variant's results at one QP with one kind of guide, a result a clip."""

    trained: TrainedVariant
    guide: str
    results: tuple[Result, ...]

    @cached_property
    def place(self) -> Row:
        """The columns that say what was measured."""
        variant, case = self.trained.variant, self.results[0].case
        return {"variant": variant.name, "coding": variant.coding, "guide": self.guide, "qp": case.qp}


def write_rows(study: Study, folder: Path, evaluation: Path, target: Path) -> list[Path]:
    """Write the rows of all that is there, of this run and of earlier ones; returns the files.

    Args:
        folder: of the trained variants.
        evaluation: folder of the measurements.
        target: folder for {study}.csv, {study}_clips.csv and {study}_frames.csv.
    """
    measured = list(_measured(study, folder, evaluation))
    rows_of = {
        "": [mean_row(study, each) for each in measured],
        "_clips": [row for each in measured for row in clip_rows(each)],
        "_frames": [row for each in measured for row in frame_rows(each, study.test.curve_clip)],
    }
    paths = {target / f"{study.name}{ending}.csv": rows for ending, rows in rows_of.items() if rows}
    target.mkdir(parents=True, exist_ok=True)
    for path, rows in paths.items():
        write_csv(path, rows)
    return list(paths)


def mean_row(study: Study, measured: Measured) -> Row:
    """Return a variant's means over clips, and what it took."""
    recipe, results = measured.trained.variant.recipe, measured.results
    gains = [result.delta_psnr_db for result in results]
    after = results[0].after
    return {
        "study": study.name,
        **measured.place,
        "neighbors": recipe.data.neighbors,
        "n_clips": len(results),
        "first_frames": study.test.frames,
        "frames": after.n_frames if len({result.after.n_frames for result in results}) == 1 else "",
        "psnr_db_decoded": f"{fmean(result.psnr_db for result in results):.4f}",
        "gain_db": f"{fmean(gains):.4f}",
        "worst_gain_db": f"{min(gains):.4f}",
        **_means(results),
        "steps": measured.trained.n_steps,
        "batch": recipe.schedule.batch,
        "patch_px": recipe.data.patch_px,
        "seed": recipe.run.seed,
        "started_from": measured.trained.variant.start,
        "training_s": measured.trained.training_s,
        **network_facts(recipe.network),
        "computed_by": f"{after.subject.backend} {after.subject.precision}",
        "sha256": after.subject.sha256,
        "machine": after.provenance.machine,
        "git_sha": after.provenance.git_sha,
        "date": after.provenance.date,
    }


def clip_rows(measured: Measured) -> Iterator[Row]:
    """Yield a variant's gain on each clip."""
    for result in measured.results:
        yield {
            **measured.place,
            "clip": result.case.clip,
            "frames": result.after.n_frames,
            "psnr_db_decoded": f"{result.psnr_db:.4f}",
            "gain_db": f"{result.delta_psnr_db:.4f}",
            **{name: _text(value) for name, value in quality_of(result).items()},
        }


def quality_of(result: Result) -> dict[str, float | None]:
    """Return what a clip's row holds beside its PSNR: gain in SSIM, and how steady quality is before and after."""
    before, after = result.before.psnr_db, result.after.psnr_db
    return {
        "delta_ssim": result.delta_ssim,
        "pvd_db_decoded": pvd_db(before),
        "pvd_db": pvd_db(after),
        "sd_db_decoded": sd_db(before),
        "sd_db": sd_db(after),
    }


def frame_rows(measured: Measured, clip: str) -> Iterator[Row]:
    """Yield a variant's gain on each frame of a clip."""
    for result in measured.results:
        if result.case.clip == clip:
            pairs = zip(result.before.psnr_db, result.after.psnr_db, strict=True)
            for number, (before, after) in enumerate(pairs):
                yield {**measured.place, "clip": clip, "frame": number, "gain_db": f"{after - before:.4f}"}


def network_facts(recipe: NetworkRecipe) -> Row:
    """Return radius, parameters and multiply-accumulates of a network."""
    return dict(_network_facts(recipe.name, tuple(sorted(recipe.options.items()))))


@cache
def _network_facts(name: str, options: tuple[tuple[str, Any], ...]) -> Row:
    network = create(name, **dict(options))
    return {
        "radius": int(network.radius),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "gmacs_416x240": f"{count_macs(network, *MACS_SIZE) / 1e9:.3f}",
    }


def _means(results: Sequence[Result]) -> Row:
    """Return the means over clips, each over those where it is defined."""
    columns = [quality_of(result) for result in results]
    return {name: _text(_mean([column[name] for column in columns])) for name in columns[0]}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _measured(study: Study, folder: Path, evaluation: Path) -> Iterator[Measured]:
    results, _ = load_results(evaluation)
    for variant in study.variants:
        trained = TrainedVariant(variant, folder)
        if trained.is_done and is_ready(trained, study):
            file = measured_file(trained, study)
            own = [each for each in results if _is_of(each, trained, file) and _has_frames(each, study)]
            is_guided = takes_guide(create(variant.recipe.network.name, **variant.recipe.network.options))
            yield from _by_qp_and_guide(trained, own, is_guided)


def _is_of(result: Result, trained: TrainedVariant, file: Path) -> bool:
    """Tell whether a result is of this very file on its own coding."""
    is_same = result.after.subject.sha256 == sha256_of(file)
    return is_same and result.case.configuration == trained.variant.coding


def _has_frames(result: Result, study: Study) -> bool:
    return result.case.first_frames == study.test.frames


def _by_qp_and_guide(trained: TrainedVariant, results: Iterable[Result], is_guided: bool) -> Iterator[Measured]:
    def order(result: Result) -> tuple[bool, int, str]:
        is_grid = result.after.subject.settings == guide_settings(True, GRID)
        return is_grid, result.case.qp or 0, result.subject

    for (is_grid, *_), own in groupby(sorted(results, key=order), key=order):
        guide = (GRID if is_grid else UNITS) if is_guided else ""
        yield Measured(trained, guide, tuple(own))
