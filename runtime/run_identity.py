"""What decides over the frames that a run writes: whoever goes on with its work has to do the same."""

import hashlib
from pathlib import Path
from typing import Any

from runtime.engine import Engine
from runtime.model_file import ModelFile

VERSION = 1  # of the record's files, and of how frames come about in general
_SAMPLE_BYTES = 1 << 20


def run_identity(source: Path, model: ModelFile, engine: Engine, options: dict[str, Any]) -> dict[str, Any]:
    """Name input, network, engine and options, as JSON has it.

    Args:
        source: a file; it is known by its size and by what stands at its beginning, middle and end.
        options: those that change frames; a value is compared as a whole.
    """
    return {
        "version": VERSION,
        "input": _fingerprint(source),
        "network": model.sha256,
        "engine": f"{engine.backend} {engine.precision}",
        **options,
    }


def _fingerprint(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for start in (0, size // 2, size - _SAMPLE_BYTES):
            file.seek(max(start, 0))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
