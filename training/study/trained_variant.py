"""The files of a trained variant, and whether it is there.

OUTPUT/{coding}/{variant}.toml      the recipe: training/train.py makes the same of it
OUTPUT/{coding}/{variant}.pt        the checkpoint; log and state beside it, as train.py leaves them
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import torch

from cvqe.errors import InputError, UsageError
from training.recipe_changes import changed_in
from training.run_state import Files
from training.study.study_file import Variant


@dataclass(frozen=True)
class TrainedVariant:
    """A variant and where it is, or will be."""

    variant: Variant
    folder: Path

    @property
    def files(self) -> Files:
        """What a training leaves."""
        return Files(self.folder / self.variant.coding / f"{self.variant.name}.pt")

    @property
    def recipe_file(self) -> Path:
        """The recipe beside the checkpoint."""
        return self.files.checkpoint.with_suffix(".toml")

    @property
    def is_done(self) -> bool:
        """Whether the checkpoint is there and was trained to the end.

        Raises:
            InputError: it can't be read.
            UsageError: it is of another recipe.
        """
        return self.n_steps >= self.variant.recipe.schedule.steps

    @property
    def n_steps(self) -> int:
        """How many steps the checkpoint was trained for, 0 where there is none; raises as `is_done`."""
        checkpoint = self.files.checkpoint
        if not checkpoint.exists():
            return 0
        try:
            content = torch.load(checkpoint, map_location="cpu", weights_only=True)
            recipe, step = content["recipe"], int(content["step"])
        except Exception as error:  # a cut or foreign file: torch raises many types
            raise InputError(
                f"{checkpoint} is no checkpoint of a study ({type(error).__name__}); remove it."
            ) from error
        changed = changed_in(recipe, self.variant.recipe)
        if changed:
            raise UsageError(
                f"{checkpoint} was trained by another recipe ({changed}); a study compares what is trained alike. "
                "Name another --output, or remove what is there."
            )
        return step

    @property
    def training_s(self) -> str:
        """How long its steps took, in seconds, as its log says; empty where the log is gone."""
        if not self.files.log.exists():
            return ""
        with self.files.log.open(newline="") as file:
            return list(csv.DictReader(file))[-1]["elapsed_s"]
