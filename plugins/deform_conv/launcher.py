"""Compiled kernels on the current CUDA context, through the driver API: no compiler, no torch.

A launch is one cuLaunchKernel: it allocates nothing on the device and waits for nothing, so a stream that is being
captured into a graph takes it too.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from cuda.bindings import driver

from cvqe.errors import BackendError
from plugins.deform_conv.compiled_kernel import CompiledKernel, EntryPoint
from plugins.deform_conv.launch_plan import kernel_for, plan_launch

DEFAULT_SHARED_BYTES = 48 * 1024  # a function that needs more has to ask for it
OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"
# a driver that is older than the PTX, and one that can't compile it
TOO_NEW = ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "CUDA_ERROR_INVALID_PTX", "CUDA_ERROR_NO_BINARY_FOR_GPU")

# functions by name, by context and module: a network's nodes, and an engine's contexts, share what they compute alike.
# A context's number is never given twice, and its modules end with it
_functions: dict[tuple[int, bytes], dict[str, Any]] = {}


class Launcher:
    """One problem, compiled for one or more kinds of GPU; may be used from several threads and contexts.

    Raises, every method:
        BackendError: there is no driver or no current context, no kernel for this GPU, or the driver refuses.
    """

    def __init__(self, kernels: Sequence[CompiledKernel]) -> None:
        self._kernels = tuple(kernels)
        self._loaded: dict[int, tuple[CompiledKernel, dict[str, Any]]] = {}  # and its functions, by context

    def load(self) -> None:
        """Load the kernel into the current context, where the driver compiles it; once, and not during a capture."""
        context = _context()
        if context in self._loaded:
            return
        kernel = kernel_for(self._kernels, _compute_capability())
        key = context, hashlib.sha256(kernel.ptx).digest()
        if key not in _functions:
            module = _call("cuModuleLoadData", kernel.ptx + b"\0")
            _functions[key] = {entry.name: _function(module, entry) for entry in (kernel.aligned, kernel.general)}
        self._loaded[context] = kernel, _functions[key]

    def launch(self, stream: int, pointers: Sequence[int], shapes: Sequence[tuple[int, ...]]) -> None:
        """Queue the kernel on a stream of the current context.

        Args:
            stream: a CUstream as an integer; 0 is the default stream.
            pointers: device addresses of x, weight, offset (or the packed tensor), bias, mask where it is a tensor of
                its own, and y; contiguous tensors of the problem's dtype that stay until the stream gets there.
            shapes: theirs, in the same order.

        Raises:
            BackendError: as above, or load() was not called in this context.
            ShapeError: the shapes do not fit the problem.
        """
        loaded = self._loaded.get(_context())
        if loaded is None:
            raise BackendError("a DeformConv kernel is launched in a CUDA context it was not loaded in; call load().")
        kernel, functions = loaded
        plan = plan_launch(kernel, pointers, shapes)
        values, addresses = plan.slots()
        _call(
            "cuLaunchKernel",
            functions[plan.entry.name],
            *plan.grid,
            *(plan.block, 1, 1),
            plan.entry.shared_bytes,
            stream,
            addresses.ctypes.data,
            0,
        )
        del values  # the driver has copied them


def _function(module: Any, entry: EntryPoint) -> Any:
    function = _call("cuModuleGetFunction", module, entry.name.encode())
    if entry.shared_bytes > DEFAULT_SHARED_BYTES:
        attribute = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        _call("cuFuncSetAttribute", function, attribute, entry.shared_bytes)
    return function


def _context() -> int:
    """Return the current context's number."""
    context = _call("cuCtxGetCurrent")
    if int(context) == 0:
        raise BackendError("no CUDA context is current in this thread; make one current before a DeformConv is loaded.")
    return int(_call("cuCtxGetId", context))


def _compute_capability() -> int:
    device = _call("cuCtxGetDevice")
    attributes = driver.CUdevice_attribute
    major, minor = (
        int(_call("cuDeviceGetAttribute", attribute, device))
        for attribute in (
            attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
        )
    )
    return 10 * major + minor


def _call(name: str, *arguments: Any) -> Any:
    try:
        code, *values = getattr(driver, name)(*arguments)
    except RuntimeError as error:  # of the bindings, where no driver is installed
        raise BackendError(
            f"no NVIDIA driver is installed ({error}), so no DeformConv can run on a GPU.\n"
            "Run on what is here:  --backend openvino"
        ) from error
    if int(code) != 0:
        raise BackendError(_sentence(name, code.name))
    return values[0] if values else None


def _sentence(name: str, error: str) -> str:
    if error in TOO_NEW:
        return (
            f"the NVIDIA driver can't compile the DeformConv kernel ({error}); it is older than the compiler that made "
            "the kernel. Install a newer driver, or build the engine again with the Triton that fits this one."
        )
    if error == OUT_OF_MEMORY:
        return f"the GPU has no memory left for the DeformConv kernel ({error} from {name}); close what else uses it."
    return f"the NVIDIA driver refused the DeformConv kernel: {error} from {name}."
