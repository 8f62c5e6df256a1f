"""The checkpoints of a study."""

from pathlib import Path

from cvqe.errors import InputError

STATE = ".state.pt"  # what a training goes on from stands beside its checkpoint


def trained_networks(folder: Path) -> dict[str, Path]:
    """Return the checkpoints of a study, FOLDER/CODING/VARIANT.pt, by CODING/VARIANT.

    Raises:
        InputError: there is none.
    """
    found = sorted(path for path in folder.glob("*/*.pt") if not path.name.endswith(STATE))
    if not found:
        raise InputError(f"{folder} holds no CODING/VARIANT.pt; name the folder that training/studies.py wrote.")
    return {f"{path.parent.name}/{path.stem}": path for path in found}
