"""The backends by name: where the code of each is, and what it stands on."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Backend:
    """Where a backend's code is, and which package brings the library it runs on.

    Attributes:
        packages: distributions of that library, any of them.
        install: the command that brings it.
        needs_gpu: it computes on an NVIDIA GPU.
        is_automatic: `auto` tries it.
        arguments: for the module's open_engine, behind the request.
    """

    module: str
    packages: tuple[str, ...]
    install: str
    needs_gpu: bool = False
    is_automatic: bool = True
    arguments: tuple[str, ...] = ()


# in the order in which auto tries them: on a CPU OpenVINO runs bf16 and is several times faster
BACKENDS = {
    "tensorrt": Backend(
        "runtime.backends.tensorrt_gpu",
        ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
        "pip install tensorrt-cu13 cuda-python",
        needs_gpu=True,
        arguments=("tensorrt",),
    ),
    "tensorrt-rtx": Backend(
        "runtime.backends.tensorrt_gpu",
        ("tensorrt-rtx", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12"),
        "pip install tensorrt-rtx-cu13 cuda-python",
        needs_gpu=True,
        arguments=("tensorrt-rtx",),
    ),
    "onnxruntime-cuda": Backend(
        "runtime.backends.onnxruntime_cuda",
        ("onnxruntime-gpu",),
        "pip uninstall --yes onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]' cuda-python",
        needs_gpu=True,
    ),
    "openvino": Backend("runtime.backends.openvino_cpu", ("openvino",), "pip install openvino"),
    "onnxruntime": Backend(
        "runtime.backends.onnxruntime_cpu", ("onnxruntime", "onnxruntime-gpu"), "pip install onnxruntime"
    ),
    "torch-cuda": Backend(
        "runtime.backends.torch_cuda", ("torch",), "pip install torch cuda-python", needs_gpu=True, is_automatic=False
    ),
}


def installed_version(name: str) -> str | None:
    """Return the version of a backend's package, None where it is not installed."""
    for package in BACKENDS[name].packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def automatic(needs_gpu: bool) -> list[str]:
    """Return the backends that `auto` tries on a GPU, or on the CPU, the best first."""
    return [name for name, backend in BACKENDS.items() if backend.is_automatic and backend.needs_gpu == needs_gpu]
