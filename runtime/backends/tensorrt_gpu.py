"""TensorRT and TensorRT-RTX: an engine that export/build_engine.py built, put into the CUDA engine."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from cvqe.errors import BackendError, ModelError
from plugins.deform_conv.callback_errors import take_error
from plugins.deform_conv.tensorrt_plugin import register
from plugins.tensorrt_log import tensorrt_log
from plugins.tensorrt_modules import load_tensorrt, tensorrt_version
from runtime.cuda.cuda_engine import CudaEngine
from runtime.cuda.driver import Cuda
from runtime.cuda.network import Launch
from runtime.cuda.network_device import engine_on_device
from runtime.cuda.pixel_tensors import pixel_inputs, pixel_outputs
from runtime.engine import EngineRequest
from runtime.engine_file import EngineFile, build_command, load_engine_file, search_engine_files
from runtime.engine_fit import other_precision


class TensorRtNetwork:
    """A deserialized engine with one execution context, for one frame size."""

    is_capturable = True

    def __init__(self, trt: ModuleType, library: str, file: EngineFile, request: EngineRequest) -> None:
        self.backend = library
        manifest = file.manifest.network
        self.precision = manifest.precision
        self.inputs = pixel_inputs(manifest, request.height, request.width)
        self.outputs = pixel_outputs(manifest, request.height, request.width)
        self._log, self._path = tensorrt_log(trt), file.path
        # the order matters at the end: a context goes before its engine, an engine before its runtime
        self._runtime = trt.Runtime(self._log.logger)
        self._engine = self._need(self._runtime.deserialize_cuda_engine(file.content), "does not load")
        self._context = self._need(_context_of(self._engine, trt), "gets no execution context")
        self._check_tensors(trt)
        for spec in self.inputs:
            self._need(self._context.set_input_shape(spec.name, spec.shape), f"refuses {spec.name} {spec.shape}")

    def prepared(self, addresses: Mapping[str, int], stream: int) -> Launch:
        """Run once, which loads what is loaded late; see `DeviceNetwork`."""

        def launch() -> None:
            for name, address in addresses.items():
                self._need(self._context.set_tensor_address(name, address), f"refuses the address of {name}")
            self._need(self._context.execute_async_v3(stream), "does not run")

        launch()
        return launch

    def close(self) -> None:
        """Give the engine's memory back."""
        del self._context, self._engine, self._runtime

    def _need(self, result: Any, problem: str) -> Any:
        """Return what TensorRT gave; where it gave nothing, raise what it or our plugin said."""
        error = take_error()
        if error is not None:
            raise BackendError(f"{self._path} {problem}: {error}") from error
        if result is None or result is False:
            said = "; ".join(self._log.take_errors()) or "TensorRT does not say why"
            raise BackendError(
                f"{self._path} {problem}: {said}. Where memory is short, take a smaller frame size or close what else "
                "uses the GPU; else build the engine again:  python export/build_engine.py --force"
            )
        return result

    def _check_tensors(self, trt: ModuleType) -> None:
        engine = self._engine
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        found = {name: np.dtype(trt.nptype(engine.get_tensor_dtype(name))) for name in names}
        wanted = {spec.name: spec.dtype for spec in (*self.inputs, *self.outputs)}
        if found != wanted:
            raise ModelError(
                f"{self._path} takes and gives {found}, but its manifest tells of {wanted}; build it again."
            )


def _context_of(engine: Any, trt: ModuleType) -> Any:
    """Return an execution context; TensorRT-RTX's is to compile its kernels for the one size now, not while it runs."""
    if not hasattr(trt, "DynamicShapesKernelSpecializationStrategy"):
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    return engine.create_execution_context(config)


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
        register(trt)
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
