"""ONNX Runtime on the CPU: float32, DeformConv native."""

import numpy as np
import onnxruntime

from cvqe.errors import BackendError
from cvqe.manifest import ENHANCED, HIDDEN_NEXT, MEAN, PEAK, WINDOW
from runtime.engine import EngineRequest, Enhanced, Guide, Luma, frame_inputs, hidden_start, last_words


class OnnxRuntimeEngine:
    """A session; ONNX Runtime chooses its plan by the first window's size."""

    backend = "onnxruntime"

    def __init__(self, request: EngineRequest) -> None:
        request.model.refuse_custom_nodes("ONNX Runtime")
        model = request.model.for_bit_depth(request.bit_depth)
        self._manifest = model.manifest
        self.precision = model.manifest.precision
        if request.precision not in ("auto", self.precision):
            raise BackendError(
                f"ONNX Runtime runs {model.path.name} on the CPU as it is stored, in {self.precision}, "
                f"not in {request.precision}; choose --precision {self.precision} or --backend openvino."
            )
        self.device = "CPU"
        self._hidden = hidden_start(self._manifest, request.height, request.width)
        self._feeds = {} if request.bit_depth <= 8 else {PEAK: np.array(2**request.bit_depth - 1, np.float32)}
        self._session = onnxruntime.InferenceSession(
            model.content, _session_options(request.threads), providers=["CPUExecutionProvider"]
        )

    def enhance(self, frames: Luma, qp: float | None = None, guide: Guide | None = None) -> Enhanced:
        """Enhance one window; see `Engine`."""
        others = frame_inputs(self._manifest, frames.shape[1:3], qp, guide)
        window = np.ascontiguousarray(frames[None])  # it would be read as if it were in one piece
        feeds = {WINDOW: window, **self._feeds, **others, **self._hidden}
        try:
            enhanced, mean, *hidden = self._session.run([ENHANCED, MEAN, *[HIDDEN_NEXT] * len(self._hidden)], feeds)
        except Exception as error:  # its own exceptions, out of memory among them, have no common public parent
            raise RuntimeError(last_words(error)) from error
        self._hidden = dict(zip(self._hidden, hidden, strict=True))
        return Enhanced(enhanced[0, 0], bool(np.isfinite(mean)))

    def reset(self) -> None:
        """See `Engine`."""
        self._hidden = {name: np.zeros_like(hidden) for name, hidden in self._hidden.items()}


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False  # a plan of the first run's tensors would take as much again, and gains no time
    options.log_severity_level = 3
    return options


def open_engine(request: EngineRequest) -> OnnxRuntimeEngine:
    """Create the session.

    Raises:
        BackendError: ONNX Runtime refuses the file.
    """
    try:
        return OnnxRuntimeEngine(request)
    except BackendError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions have no common public parent
        raise BackendError(f"ONNX Runtime can't run {request.model.path}: {last_words(error)}") from error
