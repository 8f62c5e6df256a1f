"""Which file of a trained variant is measured."""

from pathlib import Path

from export.kept_export import is_export_of
from training.study.study_file import RUNTIME, Study
from training.study.trained_variant import TrainedVariant


def measured_file(trained: TrainedVariant, study: Study) -> Path:
    """Return the checkpoint, or its export where the study measures what the runtime makes of it."""
    return trained.files.export if study.test.measured_by == RUNTIME else trained.files.checkpoint


def is_ready(trained: TrainedVariant, study: Study) -> bool:
    """Tell whether that file is there; an export of what the checkpoint was before it went on is none."""
    file, checkpoint = measured_file(trained, study), trained.files.checkpoint
    return file.is_file() and (file == checkpoint or is_export_of(file, checkpoint))
