"""Which network a run uses: a shipped one by name, an .onnx file, or the one inside a TensorRT engine."""

from pathlib import Path

from cvqe.manifest import QUANTISED
from runtime.engine_file import load_engine_file
from runtime.model_file import ENGINE_SUFFIX, ModelFile, model_versions, nearest_version
from runtime.quantised_file import quantised_versions


def choose_model(name: str, qp: int | None = None, precision: str = "auto") -> ModelFile:
    """Return the network that `--model` names, in `precision`; of several QPs, the nearest to `qp`.

    Raises:
        UsageError, ModelError: as in `versions_named`.
    """
    return nearest_version(versions_named(name, precision), qp)


def versions_named(name: str, precision: str = "auto") -> list[ModelFile]:
    """Return all that `--model` may mean until the QP is known: a network's files, one for each QP it was trained at.

    Args:
        precision: where it is one of QUANTISED, their calibrated versions.

    Raises:
        UsageError: neither a file nor a shipped network, or it has no calibrated version.
        ModelError: a file is damaged or foreign.
    """
    path = Path(name)
    if path.suffix == ENGINE_SUFFIX:
        # what the network is stands in the manifest; its bytes are read again, and checked, by the backend that runs it
        return [ModelFile(path, load_engine_file(path).manifest.network, b"")]
    versions = model_versions(name)
    return quantised_versions(versions, precision) if precision in QUANTISED else versions
