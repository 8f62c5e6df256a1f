"""TensorRT and TensorRT-RTX: an engine that export/build_engine.py built, put into the CUDA engine."""

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from cvqe.errors import BackendError, ModelError
from plugins.tensorrt_modules import load_tensorrt, tensorrt_version
from runtime.cuda.cuda_engine import CudaEngine
from runtime.cuda.driver import Cuda
from runtime.cuda.network import Launch
from runtime.cuda.network_device import engine_on_device
from runtime.cuda.pixel_tensors import pixel_inputs, pixel_outputs
from runtime.engine import EngineRequest
from runtime.engine_file import EngineFile, build_command, load_engine_file, search_engine_files
from runtime.engine_fit import other_precision
from runtime.tensorrt_engine import LoadedEngine


class TensorRtNetwork:
    """A deserialized engine with one execution context, for one frame size."""

    is_capturable = True

    def __init__(self, trt: ModuleType, library: str, file: EngineFile, request: EngineRequest) -> None:
        self.backend = library
        manifest = file.manifest.network
        self.precision = manifest.precision
        self.inputs = pixel_inputs(manifest, request.height, request.width)
        self.outputs = pixel_outputs(manifest, request.height, request.width)
        self._path, self._loaded = file.path, LoadedEngine(trt, file)
        self._check_tensors(trt)
        for spec in self.inputs:
            is_taken = self._loaded.context.set_input_shape(spec.name, spec.shape)
            self._loaded.need(is_taken, f"refuses {spec.name} {spec.shape}")

    def prepared(self, addresses: Mapping[str, int], stream: int) -> Launch:
        """Run once, which loads what is loaded late; see `DeviceNetwork`."""

        loaded = self._loaded

        def launch() -> None:
            for name, address in addresses.items():
                loaded.need(loaded.context.set_tensor_address(name, address), f"refuses the address of {name}")
            loaded.need(loaded.context.execute_async_v3(stream), "does not run")

        launch()
        return launch

    def close(self) -> None:
        """Give the engine's memory back."""
        self._loaded.close()

    def _check_tensors(self, trt: ModuleType) -> None:
        engine = self._loaded.engine
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        found = {name: np.dtype(trt.nptype(engine.get_tensor_dtype(name))) for name in names}
        wanted = {spec.name: spec.dtype for spec in (*self.inputs, *self.outputs)}
        if found != wanted:
            raise ModelError(
                f"{self._path} takes and gives {found}, but its manifest tells of {wanted}; build it again."
            )


def open_engine(request: EngineRequest, library: str) -> CudaEngine:
    """Find the engine for a request, load it and record the graphs.

    Args:
        library: `tensorrt` or `tensorrt-rtx`.

    Raises:
        BackendError: no GPU, no library, no engine that fits, or TensorRT refuses it.
        ModelError: the engine named is for another frame size, or damaged.
    """

    def load(cuda: Cuda) -> TensorRtNetwork:
        trt = load_tensorrt(library)
        return TensorRtNetwork(trt, library, _engine_file(request, library, tensorrt_version(trt), cuda), request)

    return engine_on_device(request, load, f"{library} can't run {request.model.path}")


def _engine_file(request: EngineRequest, library: str, version: str, cuda: Cuda) -> EngineFile:
    capability = cuda.device.compute_capability
    if request.model.is_engine:
        file = load_engine_file(request.model.path)
        file.check(library, version, capability, request.height, request.width, bit_depth=request.bit_depth)
        reason = other_precision(file.manifest, request.precision)
        if reason:
            raise BackendError(f"{file.path} {reason}; choose --precision {file.manifest.precision}.")
        return file
    model = request.model.for_bit_depth(request.bit_depth)
    search = search_engine_files(
        model, request.height, request.width, library, capability, version=version, precision=request.precision
    )
    if search.engine is None:
        others = "".join(f"\n  {reason}" for reason in search.passed_over)
        command = build_command(model.path, request.height, request.width, library, model.manifest)
        raise BackendError(
            f"no {library} engine of {model.path.name} for {request.width}x{request.height} is at hand.{others}\n"
            f"Build one:  {command}"
        )
    return search.engine
