"""OpenVINO on the CPU: bf16 where the processor has it, float32 elsewhere; between them what a file has in int8."""

import numpy as np
import openvino

from cvqe.errors import BackendError
from cvqe.manifest import ENHANCED, GUIDE, HIDDEN, MEAN, PEAK, WINDOW, Manifest
from plugins.deform_conv.openvino_extension import extensions
from plugins.deform_conv.sampler import allowed_cpus
from runtime.backends.openvino_fake_quantize import pairs_to_fake_quantize
from runtime.backends.openvino_gates import gates_before_split
from runtime.backends.openvino_guide import guide_without_scaling
from runtime.backends.openvino_hidden import HiddenTensors
from runtime.backends.openvino_slices import slices_before_conversion
from runtime.backends.openvino_splits import splits_to_convolutions
from runtime.engine import EngineRequest, Enhanced, Guide, Luma, frame_inputs, last_words

DEVICE = "CPU"
HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
# what OpenVINO calls what a processor computes natively
CAPABILITIES = {"bf16": "BF16", "fp16": "FP16", "int8": "INT8", "fp8": "FP8"}


class OpenVinoEngine:
    """A compiled model for one frame size."""

    backend = "openvino"

    def __init__(self, request: EngineRequest) -> None:
        request.model.refuse_custom_nodes("OpenVINO")
        core = openvino.Core()
        self.precision = _precision(core, request.model.manifest, request.precision)
        floats = _natural_floats(core) if request.model.manifest.is_quantised else self.precision
        self.device = str(core.get_property(DEVICE, "FULL_DEVICE_NAME"))
        threads = request.threads or len(allowed_cpus())
        core.add_extension(extensions("bf16" if floats == "bf16" else "f32", threads))
        file = request.model.for_bit_depth(request.bit_depth)
        self._manifest = file.manifest
        model = core.read_model(file.content)
        pair = [2] if file.manifest.bit_depth == 16 else []
        size = [request.height, request.width]
        guide = {GUIDE: [1, 1, *size]} if file.manifest.takes_guide else {}
        hidden = {HIDDEN: [1, file.manifest.hidden_channels, *size]} if file.manifest.is_recurrent else {}
        model.reshape({WINDOW: [1, file.manifest.window_frames, *size, *pair], **guide, **hidden})
        if guide:
            guide_without_scaling(model)
        pairs_to_fake_quantize(model)
        slices_before_conversion(model)
        gates_before_split(model)
        if floats == "bf16":
            splits_to_convolutions(model)
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[floats],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        self._request = core.compile_model(model, DEVICE, settings).create_infer_request()
        self._hidden = HiddenTensors(hidden[HIDDEN]) if hidden else None
        self._peak = np.array(2**request.bit_depth - 1, np.float32)
        self._feeds = {PEAK: self._peak} if pair else {}

    def enhance(self, frames: Luma, qp: float | None = None, guide: Guide | None = None) -> Enhanced:
        """Enhance one window; see `Engine`."""
        window = openvino.Tensor(np.ascontiguousarray(frames[None]), shared_memory=True)
        others = frame_inputs(self._manifest, frames.shape[1:3], qp, guide)
        if GUIDE in others:
            others[GUIDE] = others[GUIDE] / self._peak
        if self._hidden:
            self._hidden.bind(self._request)
        outputs = self._request.infer({WINDOW: window, **self._feeds, **others}, share_outputs=True)
        luma = outputs[ENHANCED][0, 0].copy()  # the request writes its next result to the same place
        return Enhanced(luma, bool(np.isfinite(outputs[MEAN])))

    def reset(self) -> None:
        """See `Engine`."""
        if self._hidden:
            self._hidden.reset()


def _precision(core: openvino.Core, manifest: Manifest, wanted: str) -> str:
    if wanted == "auto":
        wanted = manifest.precision if manifest.is_quantised else _natural_floats(core)
    offered = capabilities(core)
    if wanted != "fp32" and CAPABILITIES[wanted] not in offered:
        remedy = "the network that it was calibrated from" if manifest.is_quantised else "--precision fp32"
        raise BackendError(f"this CPU does not compute in {wanted} ({', '.join(offered)}); choose {remedy}.")
    return wanted


def _natural_floats(core: openvino.Core) -> str:
    """Return what layers of floating point are fastest in; a quantised file's others are computed in it, too."""
    return "bf16" if CAPABILITIES["bf16"] in capabilities(core) else "fp32"


def capabilities(core: openvino.Core) -> list[str]:
    """Return what this CPU computes natively, in the words of CAPABILITIES, and what else OpenVINO says it can."""
    return list(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))


def open_engine(request: EngineRequest) -> OpenVinoEngine:
    """Compile the model for the request's frame size.

    Raises:
        BackendError: the CPU lacks the precision, or OpenVINO refuses the file.
    """
    try:
        return OpenVinoEngine(request)
    except RuntimeError as error:
        raise BackendError(f"OpenVINO can't run {request.model.path}: {last_words(error)}") from error
