"""ONNX Runtime on an NVIDIA GPU: the ONNX file as it is stored, DeformConv native, addresses bound without a copy."""

from collections.abc import Mapping

import onnxruntime

from cvqe.errors import BackendError
from runtime.cuda.cuda_engine import CudaEngine
from runtime.cuda.driver import Cuda
from runtime.cuda.network import Launch
from runtime.cuda.network_device import engine_on_device
from runtime.cuda.pixel_tensors import pixel_inputs, pixel_outputs
from runtime.engine import EngineRequest, last_words

PROVIDER = "CUDAExecutionProvider"
LIBRARIES = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
INSTALL = "pip uninstall --yes onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'"


class OnnxRuntimeNetwork:
    """A session that computes in the stream it is given; made with the first stream."""

    backend = "onnxruntime-cuda"
    is_capturable = False  # a run may allocate

    def __init__(self, cuda: Cuda, request: EngineRequest) -> None:
        request.model.refuse_custom_nodes("ONNX Runtime")
        self._cuda, self._request = cuda, request
        self._model = request.model.for_bit_depth(request.bit_depth)
        manifest = self._model.manifest
        self.precision = manifest.precision
        if request.precision not in ("auto", self.precision):
            raise BackendError(
                f"ONNX Runtime runs {self._model.path.name} on a GPU as it is stored, in {self.precision}, not in "
                f"{request.precision}. Export it so:  python export/to_onnx.py --precision {request.precision}"
            )
        self.inputs = pixel_inputs(manifest, request.height, request.width)
        self.outputs = pixel_outputs(manifest, request.height, request.width)
        self._session: onnxruntime.InferenceSession | None = None

    def prepared(self, addresses: Mapping[str, int], stream: int) -> Launch:
        """Bind the addresses and run once, which plans the memory; see `DeviceNetwork`."""
        session = self._session_in(stream)
        binding = session.io_binding()
        device = self._cuda.device.ordinal
        for bind, specs in ((binding.bind_input, self.inputs), (binding.bind_output, self.outputs)):
            for spec in specs:
                bind(spec.name, "cuda", device, spec.dtype, list(spec.shape), addresses[spec.name])
        options = onnxruntime.RunOptions()
        # the stream's events order it, as they do all other work in the stream
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")

        def launch() -> None:
            try:
                session.run_with_iobinding(binding, options)
            except Exception as error:  # its own exceptions, out of memory among them, have no common public parent
                raise RuntimeError(last_words(error)) from error

        launch()
        return launch

    def close(self) -> None:
        """Let go of the session and its memory."""
        self._session = None

    def _session_in(self, stream: int) -> onnxruntime.InferenceSession:
        if self._session is None:
            settings = {
                "device_id": str(self._cuda.device.ordinal),
                "user_compute_stream": str(stream),
                "use_tf32": "0",  # float32 as it is stored; its 10 bits of mantissa are no better than half's
            }
            onnxruntime.preload_dlls()  # CUDA and cuDNN as pip installs them; nothing else finds those
            self._session = onnxruntime.InferenceSession(
                self._model.content, _session_options(self._request), providers=[(PROVIDER, settings)]
            )
            if PROVIDER not in self._session.get_providers():  # it goes on with the CPU by itself
                raise BackendError(
                    "ONNX Runtime's CUDA libraries do not load (its own lines above say which), so --backend "
                    f"onnxruntime-cuda can't be used.\nInstall them:  {LIBRARIES}     or run on what is here:  "
                    "--backend openvino"
                )
        return self._session


def _session_options(request: EngineRequest) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # sizes that are known fold into constants; else shapes would be computed on the CPU between the kernels
    options.add_free_dimension_override_by_name("height", request.height)
    options.add_free_dimension_override_by_name("width", request.width)
    return options


def open_engine(request: EngineRequest) -> CudaEngine:
    """Create the session and the device's ring.

    Raises:
        BackendError: no GPU, no CUDA build of ONNX Runtime, or it refuses the file.
    """
    if PROVIDER not in onnxruntime.get_available_providers():
        raise BackendError(f"this ONNX Runtime is built for the CPU alone.\nInstall the other:  {INSTALL}")
    problem = f"ONNX Runtime can't run {request.model.path} on the GPU"
    return engine_on_device(request, lambda cuda: OnnxRuntimeNetwork(cuda, request), problem)
