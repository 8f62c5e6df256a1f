"""The calibrated version of a network: NAME_int8.onnx beside NAME.onnx, the scales of its Q and DQ nodes inside."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from cvqe.errors import BackendError, ModelError, UsageError
from cvqe.manifest import QUANTISED
from runtime.model_file import ModelFile, load_model_file


def quantised_path(path: Path, precision: str) -> Path:
    """Name the calibrated version of a network's file."""
    return path.with_name(f"{path.stem}_{precision}{path.suffix}")


def quantised_versions(versions: Sequence[ModelFile], precision: str) -> list[ModelFile]:
    """Return what is to be run of a network in `precision`, one of QUANTISED: its files in it, or those beside them.

    Raises:
        UsageError: there is none; the command that makes it is told.
        ModelError: one was calibrated from another file than it stands beside.
    """
    found = [each for each in versions if each.manifest.precision == precision]
    beside = [each for each in versions if quantised_path(each.path, precision).is_file()]
    found += [_version_beside(each, precision) for each in beside]
    if not found:
        path = versions[0].path
        raise UsageError(
            f"{path} holds no {precision} scales, and there is no {quantised_path(path, precision).name} beside it. "
            f"{_how_to_make(path, precision)}"
        )
    return found


def refuse_other_precision(model: ModelFile, precision: str) -> None:
    """Refuse to compute in another precision than a calibrated file's own, or in one that needs scales without them.

    An engine is compared with what was asked for by its own backend.

    Raises:
        BackendError: that is asked for.
    """
    told = model.manifest
    if model.is_engine or precision in ("auto", told.precision):
        return
    if told.is_quantised:
        raise BackendError(
            f"{model.path} is calibrated for {told.precision}: its weights are rounded to that, so it can't compute in "
            f"{precision}. Choose --precision auto, or the network that it was calibrated from."
        )
    if precision in QUANTISED:
        raise BackendError(
            f"{model.path} holds no {precision} scales; choose --precision auto. {_remedy(model.path, precision)}"
        )


def refuse_other_source(calibrated: ModelFile, source: ModelFile) -> None:
    """Refuse a calibrated file beside a network that it was not made from.

    Raises:
        ModelError: it was made from another one, or does not tell from which.
    """
    told = calibrated.manifest.calibration.get("source_sha256")
    if told != source.sha256:
        raise ModelError(
            f"{calibrated.path} was calibrated from a network with sha256 {str(told or 'unknown')[:12]}; "
            f"{source.sha256[:12]} of {source.path} was expected. "
            f"{_how_to_make(source.path, calibrated.manifest.precision)}"
        )


def _version_beside(model: ModelFile, precision: str) -> ModelFile:
    calibrated = load_model_file(quantised_path(model.path, precision))
    if calibrated.manifest.precision != precision:
        raise ModelError(
            f"{calibrated.path} computes in {calibrated.manifest.precision}; {precision} was expected. "
            f"{_how_to_make(model.path, precision)}"
        )
    refuse_other_source(calibrated, model)
    return calibrated


def _remedy(path: Path, precision: str) -> str:
    beside = quantised_path(path, precision)
    return f"{beside} does: give that." if beside.is_file() else _how_to_make(path, precision)


def _how_to_make(path: Path, precision: str) -> str:
    output = quantised_path(path, precision)
    return (
        f"Make it:  python calibration/calibrate.py --onnx {quote(str(path))} --to {precision} --clips CLIPS "
        f"--coded CODED --output {quote(str(output))}"
    )
