"""A TensorRT that builds and computes nothing: what loading an engine asks of it, with an engine of the test's own."""

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class _Logger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = "internal error", "error", "warning", "info", "verbose"


class SimulatedRegistry:
    """Loads every library whose name does not say otherwise."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def load_library(self, path: str) -> object | None:
        if "wrong" in path:
            return None
        self.loaded.append(path)
        return object()


class SimulatedRuntime:
    """Deserializes into the module's engine; its logger is `logger`."""

    def __init__(self, logger: Any, engine: Any) -> None:
        self.logger, self._engine = logger, engine
        self.registry, self.engine_host_code_allowed = SimulatedRegistry(), False

    def get_plugin_registry(self) -> SimulatedRegistry:
        return self.registry

    def deserialize_cuda_engine(self, content: bytes) -> Any:
        if self._engine is None:
            self.logger.log("error", "the header is wrong")
        return self._engine


def simulated_tensorrt(engine: Any, compiles_for_shapes: bool = False) -> ModuleType:
    """Return the module; its runtimes, in the order in which they were made, are `made`.

    Args:
        engine: what is deserialized; None: that fails, with a word to the logger.
        compiles_for_shapes: as TensorRT-RTX, whose contexts can be told when to compile kernels.
    """
    trt: Any = ModuleType("simulated_tensorrt")
    trt.made = []

    def create_runtime(logger: Any) -> SimulatedRuntime:
        trt.made.append(SimulatedRuntime(logger, engine))
        return trt.made[-1]

    trt.ILogger, trt.Runtime = _Logger, create_runtime
    trt.IProfiler = type("IProfiler", (), {})
    trt.nptype = np.dtype
    trt.TensorIOMode = SimpleNamespace(INPUT="in")
    if compiles_for_shapes:
        trt.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager", LAZY="lazy")
    module: ModuleType = trt
    return module
