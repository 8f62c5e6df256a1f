"""What a training leaves on disk: the averaged weights to use, and everything needed to go on exactly."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cvqe.errors import InputError, UsageError
from training.recipe import Recipe
from training.recipe_changes import changed_in, first_difference


@dataclass(frozen=True)
class Files:
    """The files of one run, all named after its checkpoint."""

    checkpoint: Path

    @property
    def state(self) -> Path:
        """Weights, their average, optimizer and step: what --resume reads."""
        return self.checkpoint.with_suffix(".state.pt")

    @property
    def export(self) -> Path:
        """The checkpoint as an ONNX file, where it was exported."""
        return self.checkpoint.with_suffix(".onnx")

    @property
    def log(self) -> Path:
        """One line for each interval."""
        return self.checkpoint.with_suffix(".csv")

    @property
    def board(self) -> Path:
        """TensorBoard's folder."""
        return self.checkpoint.with_suffix(".tensorboard")


def save(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint under its final name once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".tmp")
    torch.save(dict(content), unfinished)
    unfinished.replace(path)


def load_state(path: Path, recipe: Recipe, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Read the state of a run that was stopped.

    Raises:
        InputError: it can't be read.
        UsageError: it was left by another recipe, on other data or by another number of processes, so going on would be
            neither the old run nor a new one.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a missing, cut or foreign file: torch raises many types
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} holds no state to go on from ({reason}); start anew without --resume.") from error
    changed = changed_in(state.get("recipe", {}), recipe)
    changed = changed or first_difference({"run": state}, {"run": origin})
    if changed:
        raise UsageError(
            f"{path} was left by another run ({changed}). Resume with the same recipe, data and processes, "
            "or start a new run from its weights:  --init CHECKPOINT"
        )
    return state
