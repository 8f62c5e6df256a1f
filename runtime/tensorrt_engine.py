"""An engine in TensorRT's memory with its execution context, every answer of TensorRT checked.

our plugin, the user's own -> runtime -> engine -> context
"""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from cvqe.errors import BackendError, UsageError
from plugins.deform_conv.callback_errors import take_error
from plugins.tensorrt_log import tensorrt_log
from runtime.engine_file import EngineFile, rebuild_command


class LoadedEngine:
    """A deserialized engine and its one execution context; whoever times or runs an engine loads it so.

    Attributes:
        engine: ICudaEngine.
        context: IExecutionContext.
    """

    def __init__(self, trt: ModuleType, file: EngineFile, plugins: Iterable[Path] = ()) -> None:
        """Load an engine into the current CUDA context.

        Args:
            trt: `tensorrt` or `tensorrt_rtx`, the one that the engine was built by.
            plugins: libraries of TensorRT plugins of the user's own that the engine needs; ours needs no word.

        Raises:
            UsageError: one of `plugins` does not load.
            BackendError: TensorRT refuses the engine, or has no memory for it; what it or our plugin said is told.
        """
        self._file, self._log = file, tensorrt_log(trt)
        if file.manifest.plugin_sha256:
            from plugins.deform_conv.tensorrt_plugin import register

            register(trt)
        # what an earlier engine was refused for is nothing to this one
        self._log.take_errors()
        take_error()
        self._runtime = self.need(_runtime_of(trt, self._log.logger), "gets no runtime")
        if file.manifest.build.get("versionCompatible"):
            self._runtime.engine_host_code_allowed = True  # its checksum says that it is the one we built
        load_plugins(self._runtime.get_plugin_registry(), plugins)
        self.engine: Any = self.need(self._runtime.deserialize_cuda_engine(file.content), "does not load")
        self.context: Any = self.need(_context_of(self.engine, trt), "gets no execution context")

    def need(self, result: Any, problem: str) -> Any:
        """Return what TensorRT gave.

        Args:
            result: None or False where TensorRT refused.
            problem: the rest of a sentence that begins with the engine's file, as in "does not run".

        Raises:
            BackendError: it refused, or a callback of our plugin failed, whose own sentence is told then.
        """
        path, error = self._file.path, take_error()
        if error is not None:
            raise BackendError(f"{path} {problem}: {error}") from error
        if result is None or result is False:
            said = "; ".join(self._log.take_errors()) or "TensorRT does not say why"
            raise BackendError(
                f"{path} {problem}: {said}\nWhere memory is short, take a smaller frame size or close what else uses "
                f"the GPU; else build the engine again:  {rebuild_command(path, self._file.manifest)}"
            )
        return result

    def close(self) -> None:
        """Give the engine's memory back, after all work with it; again: nothing."""
        # a context goes before its engine, an engine before its runtime
        self.context = None
        self.engine = None
        self._runtime = None


def load_plugins(registry: Any, paths: Iterable[Path]) -> None:
    """Load libraries of TensorRT plugins into a builder's or a runtime's registry, which keeps them.

    Raises:
        UsageError: a file is not there, is no such library, or its plugins are registered already.
    """
    for path in paths:
        if not path.is_file() or registry.load_library(str(path)) is None:
            raise UsageError(f"{path} is no library of TensorRT plugins that loads here; give its full name.")


def _runtime_of(trt: ModuleType, logger: Any) -> Any:
    try:
        return trt.Runtime(logger)
    except TypeError:  # the bindings' own, where TensorRT makes none
        return None


def _context_of(engine: Any, trt: ModuleType) -> Any:
    """Return an execution context; TensorRT-RTX's is to compile its kernels for the one size now, not while it runs."""
    if not hasattr(trt, "DynamicShapesKernelSpecializationStrategy"):
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    return engine.create_execution_context(config)
