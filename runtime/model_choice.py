"""Which network a run uses: a shipped one by name, an .onnx file, or the one inside a TensorRT engine."""

from pathlib import Path

from runtime.engine_file import load_engine_file
from runtime.model_file import ENGINE_SUFFIX, ModelFile, find_model


def choose_model(name: str, qp: int | None = None) -> ModelFile:
    """Return the network that `--model` names; of several QPs, the nearest to `qp`.

    Raises:
        UsageError: neither a file nor a shipped network.
        ModelError: the file is damaged or foreign.
    """
    path = Path(name)
    if path.suffix != ENGINE_SUFFIX:
        return find_model(name, qp)
    # what the network is stands in the manifest; its bytes are read again, and checked, by the backend that runs it
    return ModelFile(path, load_engine_file(path).manifest.network, b"")
