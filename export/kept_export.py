"""A checkpoint as an ONNX file, exported once."""

import logging
from pathlib import Path

from cvqe import __version__
from cvqe.errors import InputError, ModelError
from cvqe.file_digest import sha256_of
from export.exporter import ExportConfig, export
from runtime.model_file import load_model_file

log = logging.getLogger(__name__)


def exported(checkpoint: Path, folder: Path) -> Path:
    """Return FOLDER/STEM.onnx, which is made where it is not there, or of another checkpoint or version of ours.

    Raises:
        InputError: there is no such checkpoint.
        CvqeError: it can't be exported.
    """
    if not checkpoint.is_file():
        raise InputError(
            f"{checkpoint} is missing; name another folder of checkpoints, leave {checkpoint.stem} out, or train it:  "
            f"python training/studies.py --help"
        )
    path = folder / f"{checkpoint.stem}.onnx"
    if not is_export_of(path, checkpoint):
        log.info("exporting %s", checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        export(ExportConfig(checkpoint, output=path))
    return path


def is_export_of(path: Path, checkpoint: Path) -> bool:
    """Tell whether a file was exported from this very checkpoint; one that doesn't open was not."""
    if not path.is_file():
        return False
    try:
        manifest = load_model_file(path).manifest
    except ModelError:
        return False
    return (manifest.checkpoint_sha256, manifest.version) == (sha256_of(checkpoint), __version__)
