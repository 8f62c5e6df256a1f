"""Which file of a trained variant is measured."""

from pathlib import Path

from training.study.study_file import RUNTIME, Study
from training.study.trained_variant import TrainedVariant


def measured_file(trained: TrainedVariant, study: Study) -> Path:
    """Return the checkpoint, or its export where the study measures what the runtime makes of it."""
    return trained.files.export if study.test.measured_by == RUNTIME else trained.files.checkpoint
