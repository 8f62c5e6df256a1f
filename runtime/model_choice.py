"""Which network a run uses: a shipped one by name, an .onnx file, or the one inside a TensorRT engine."""

from pathlib import Path

from runtime.engine_file import load_engine_file
from runtime.model_file import ENGINE_SUFFIX, ModelFile, model_versions, nearest_version


def choose_model(name: str, qp: int | None = None) -> ModelFile:
    """Return the network that `--model` names; of several QPs, the nearest to `qp`.

    Raises:
        UsageError: neither a file nor a shipped network.
        ModelError: the file is damaged or foreign.
    """
    return nearest_version(versions_named(name), qp)


def versions_named(name: str) -> list[ModelFile]:
    """Return all that `--model` may mean until the QP is known: a network's files, one for each QP it was trained at.

    Raises:
        UsageError, ModelError: as in `choose_model`.
    """
    path = Path(name)
    if path.suffix != ENGINE_SUFFIX:
        return model_versions(name)
    # what the network is stands in the manifest; its bytes are read again, and checked, by the backend that runs it
    return [ModelFile(path, load_engine_file(path).manifest.network, b"")]
