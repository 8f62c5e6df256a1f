"""A study from what was asked for to what is written: each variant is trained, measured, and added to the rows."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cvqe.errors import UsageError
from cvqe.models import create, takes_guide
from cvqe.whole_file import write_whole
from export.kept_export import exported
from training.evaluation.cases import find_cases
from training.evaluation.evaluation import Evaluation, Hooks, evaluate
from training.evaluation.network_windows import GRID, UNITS
from training.run import Training, run_training
from training.study.measured_file import measured_file
from training.study.recipe_text import recipe_text
from training.study.study_file import RUNTIME, Study, Variant, load_study
from training.study.study_rows import write_rows
from training.study.trained_variant import TrainedVariant

log = logging.getLogger(__name__)
EVALUATION = "evaluation"  # the folder of all measurements, in the output


@dataclass(frozen=True)
class StudyOptions:
    """What to study, on what, and where to keep it."""

    config: Path
    clips: Path
    coded: Path
    test: Path
    test_coded: Path
    output: Path
    results: Path | None = None
    only: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    frames: int | None = None
    cache: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0


def run_study(options: StudyOptions, command: str, hooks: Hooks) -> list[Path]:
    """Train what is not trained, measure what is not measured; rows are written behind every variant.

    Args:
        command: what was typed, for the measurements.

    Returns:
        the files of rows.

    Raises:
        CvqeError: the study, its clips or its files can't be what they are asked to be.
        KeyboardInterrupt: the user stopped it; the same command goes on.
    """
    study = load_study(options.config, options.overrides)
    if options.frames is not None:
        study = replace(study, test=replace(study.test, frames=options.frames))
    if study.test.frames < 1:
        raise UsageError(f"--frames {study.test.frames} would measure nothing; give 1 or more.")
    chosen = study.chosen(options.only)
    _refuse_missing_clips(options, study, chosen)
    _refuse_missing_starts(options, study, chosen)
    written = list[Path]()
    for number, variant in enumerate(chosen, 1):
        trained = TrainedVariant(variant, options.output)
        log.info("[%d/%d] %s%s", number, len(chosen), variant.title, " is there" if trained.is_done else "")
        if not trained.is_done:
            train_variant(trained, options, _started_from(study.start_of(variant), options))
        for evaluation in _evaluations(trained, study, options):
            evaluate(evaluation, command, hooks)
        written = write_rows(study, options.output, options.output / EVALUATION, options.results or options.output)
    return written


def train_variant(trained: TrainedVariant, options: StudyOptions, init: Path | None = None) -> None:
    """Train a variant to its end, from where it was stopped if it was.

    Without the state of the run that was stopped its checkpoint is gone on from, with an optimizer that begins anew.

    Args:
        init: a checkpoint whose weights it takes where it has none of its own.
    """
    trained.recipe_file.parent.mkdir(parents=True, exist_ok=True)
    n_steps = trained.n_steps
    write_whole(trained.recipe_file, recipe_text(trained.variant.recipe).encode())
    run_training(
        Training(
            trained.recipe_file,
            trained.files.checkpoint,
            options.clips,
            options.coded,
            resume=trained.files.state.exists(),
            init=trained.files.checkpoint if n_steps else init,
            first_step=n_steps,
            cache=options.cache,
            device=options.device,
            threads=options.threads,
        )
    )


def _refuse_missing_clips(options: StudyOptions, study: Study, chosen: list[Variant]) -> None:
    """Look for every coded test clip before hours are spent on training."""
    for variant in chosen:
        find_cases(options.test, options.test_coded, [variant.coding], study.qps_of(variant))


def _refuse_missing_starts(options: StudyOptions, study: Study, chosen: list[Variant]) -> None:
    """Look for the networks that variants go on from: there, or trained before their turn."""
    for place, variant in enumerate(chosen):
        start = study.start_of(variant)
        if start and start not in chosen[:place] and not TrainedVariant(start, options.output).is_done:
            raise UsageError(
                f"{variant.title} goes on from {start.title}, which is not trained yet; name it too:  "
                f"--only {start.title} {variant.title}"
            )


def _started_from(start: Variant | None, options: StudyOptions) -> Path | None:
    return TrainedVariant(start, options.output).files.checkpoint if start else None


def _ready_to_measure(trained: TrainedVariant, study: Study) -> Path:
    """Return the file that is measured, exported where it has to be."""
    if study.test.measured_by == RUNTIME:
        exported(trained.files.checkpoint, trained.files.checkpoint.parent)
    return measured_file(trained, study)


def _evaluations(trained: TrainedVariant, study: Study, options: StudyOptions) -> Iterator[Evaluation]:
    """Yield what is measured of a variant; the base by the fixed grid too, which stands in for the coder's units."""
    variant, file = trained.variant, _ready_to_measure(trained, study)
    network = variant.recipe.network
    is_guided = takes_guide(create(network.name, **network.options))
    guides = (UNITS, GRID) if variant.is_base and is_guided else (UNITS,)
    for guide in guides:
        label = variant.name if guide == UNITS else f"{variant.name}-{guide}"
        yield Evaluation(
            options.test,
            options.test_coded,
            options.output / EVALUATION,
            model=(f"{label}={file}",),
            configuration=(variant.coding,),
            qp=study.qps_of(variant) if guide == UNITS else variant.recipe.data.qp,
            frames=study.test.frames,
            precision=options.precision,
            device=options.device,
            guide=guide,
            plots=False,
            threads=options.threads,
        )
