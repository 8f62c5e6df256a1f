"""A checkpoint with its weights in float16; what batch norms counted, which is small in both senses, as it is."""

from pathlib import Path

import torch
from torch import Tensor

from cvqe.errors import InputError, ModelError
from training.run_state import save


def copy_halved(checkpoint: Path, target: Path) -> Path:
    """Write a checkpoint of training/train.py again, its weights in float16; all else as it is.

    Raises:
        InputError: it can't be read.
        ModelError: a weight is too large for float16.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        weights = content["state_dict"]
    except Exception as error:  # a cut or foreign file: torch raises many types
        raise InputError(f"{checkpoint} is no checkpoint of training/train.py ({type(error).__name__}).") from error
    halved = {name: value if _is_counted(name, value) else value.half() for name, value in weights.items()}
    lost = [name for name, value in halved.items() if not value.isfinite().all()]
    if lost:
        raise ModelError(f"{checkpoint}: {lost[0]} is not finite in float16; magnitudes below 65504 were expected.")
    save({**content, "state_dict": halved}, target)
    return target


def _is_counted(name: str, value: Tensor) -> bool:
    return "running_" in name or not value.is_floating_point()
