"""What on this machine computes in a precision, and engines of networks that are not in a file yet."""

import logging
from pathlib import Path

import numpy as np
import onnx

from calibration.samples import Sample
from cvqe.errors import BackendError
from cvqe.manifest import manifest_from_properties
from runtime.backend_list import installed_version
from runtime.engine import Engine, EngineRequest, Luma, open_engine
from runtime.model_file import ModelFile

log = logging.getLogger(__name__)
# backends that compute in a precision on a CPU, the fastest first; a GPU's would need an engine built before
COMPUTED_BY = {"int8": ("openvino", "onnxruntime"), "fp8": ()}
EMULATED_BY = "onnxruntime"  # rounds to any of them where Q and DQ nodes say so, and computes in float32 between
PROBE_PX = 64  # the frame with which it is found out what runs


def model_in_memory(model: onnx.ModelProto, name: str) -> ModelFile:
    """Return a network as the runtime knows it.

    Raises:
        ModelError: it carries no metadata.
    """
    manifest = manifest_from_properties({each.key: each.value for each in model.metadata_props}, name)
    return ModelFile(Path(f"{name}.onnx"), manifest, model.SerializeToString())


def computing_backend(model: ModelFile) -> str | None:
    """Name the backend that computes a quantised network in its precision here; None where there is none."""
    for name in COMPUTED_BY[model.manifest.precision]:
        if installed_version(name) is None:
            continue
        try:
            open_engine(EngineRequest(model, PROBE_PX, PROBE_PX), name)
        except BackendError as error:
            log.warning("%s is passed over: %s", name, error)
            continue
        return name
    return None


def engine_for(model: ModelFile, size: tuple[int, int], backend: str, precision: str = "auto") -> Engine:
    """Open an engine for frames of a size, (height, width).

    Raises:
        BackendError: the backend does not run it.
    """
    return open_engine(EngineRequest(model, *size, precision=precision), backend).engine


def enhanced_luma(engine: Engine, sample: Sample) -> Luma:
    """Enhance a sample's window; of a pixel that is no number the luma says nothing, so all of it becomes NaN."""
    enhanced = engine.enhance(sample.window, sample.frame_qp, sample.guide)
    return enhanced.luma if enhanced.is_finite else np.full(enhanced.luma.shape, np.nan)
