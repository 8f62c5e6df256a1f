"""What the CUDA driver's error codes mean for the user: one sentence, and what to do about the GPU.

What to do without one is for the program that asked to say: not each has a backend to choose.
"""

from cvqe.errors import BackendError

SUCCESS, OUT_OF_MEMORY = "CUDA_SUCCESS", "CUDA_ERROR_OUT_OF_MEMORY"
# after one of these every later call of the process fails too: only a new process can use the GPU again
STICKY = {
    "CUDA_ERROR_ASSERT": "a kernel's assertion failed",
    "CUDA_ERROR_CONTAINED": "the GPU contained a memory error",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED": "the GPU's context was destroyed",
    "CUDA_ERROR_ECC_UNCORRECTABLE": "the GPU's memory has an error that ECC can't correct",
    "CUDA_ERROR_EXTERNAL_DEVICE": "another device on the bus failed",
    "CUDA_ERROR_HARDWARE_STACK_ERROR": "a kernel's call stack is broken",
    "CUDA_ERROR_ILLEGAL_ADDRESS": "a kernel touched memory that is not its own",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION": "a kernel holds an instruction that this GPU does not know",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE": "a kernel touched the wrong kind of memory",
    "CUDA_ERROR_INVALID_PC": "a kernel jumped outside its code",
    "CUDA_ERROR_LAUNCH_FAILED": "a kernel broke down",
    "CUDA_ERROR_LAUNCH_TIMEOUT": "a kernel ran longer than this display's GPU allows",
    "CUDA_ERROR_MISALIGNED_ADDRESS": "a kernel read from an address that is not aligned",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE": "a link between GPUs has an error",
    "CUDA_ERROR_TENSOR_MEMORY_LEAK": "a kernel did not give its tensor memory back",
}
START = {
    "CUDA_ERROR_NO_DEVICE": "the CUDA driver finds no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES",
    "CUDA_ERROR_INVALID_DEVICE": "there is no GPU of that number; nvidia-smi -L lists them",
    "CUDA_ERROR_DEVICE_UNAVAILABLE": "another process holds the GPU for itself; end it, or set the compute mode "
    "back:  nvidia-smi -c DEFAULT",
    "CUDA_ERROR_STUB_LIBRARY": "libcuda.so is the toolkit's stub, made for linking only; take its folder (.../stubs) "
    "off LD_LIBRARY_PATH",
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": "the driver was updated while its kernel module stayed; restart the machine",
    "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE": "this GPU does not take CUDA's compatibility library; take it off "
    "LD_LIBRARY_PATH and update the driver",
    "CUDA_ERROR_OPERATING_SYSTEM": "the operating system refuses the GPU's device files; in a container, start it "
    "with --gpus all",
    "CUDA_ERROR_UNKNOWN": "the driver does not start, often after a suspend or an update; restart the machine",
}


def failure(code: str, function: str) -> BackendError:
    """Return the error for a call that the driver answered with `code`, as in CUDA_ERROR_ILLEGAL_ADDRESS."""
    if code in STICKY:
        return BackendError(
            f"{STICKY[code]} ({code} in {function}), and this process can't use the GPU any more; "
            "run again, and where it comes back, without the GPU"
        )
    if code.startswith("CUDA_ERROR_STREAM_CAPTURE"):
        return BackendError(
            f"the network does what a CUDA graph can't hold ({code} in {function}); run it without the GPU"
        )
    return BackendError(
        f"the CUDA driver answers {function} with {code}; run again, and where it comes back, without the GPU"
    )


def unknown_code(function: str, error: ValueError) -> BackendError:
    """Return the error for a driver that answers with a code newer than the installed bindings."""
    return BackendError(
        f"the CUDA driver answers {function} with a code that cuda-bindings does not know ({error}); "
        f"update them:  pip install -U cuda-python"
    )


def start_failure(code: str, function: str) -> BackendError:
    """Return the error for a driver that does not come up."""
    if code in START:
        return BackendError(f"{START[code]} ({code})")
    return failure(code, function)


def out_of_memory(kind: str, size_bytes: int, free_bytes: int | None) -> BackendError:
    """Return the error for memory that is not there; `kind` is "GPU" or "page-locked"."""
    left = "" if free_bytes is None else f", and {free_bytes / 2**20:.0f} MiB are free"
    return BackendError(
        f"{size_bytes / 2**20:.1f} MiB of {kind} memory were asked for{left}; close what else uses it, "
        "or take a smaller frame size or network"
    )


def no_bindings(error: ImportError) -> BackendError:
    """Return the error for a Python without cuda-bindings."""
    return BackendError(
        f"the Python package cuda-bindings does not load ({error}), so the GPU can't be used.\n"
        "Install it:  pip install cuda-python"
    )


def no_driver(function: str, error: RuntimeError) -> BackendError:
    """Return the error for a machine without the driver's library, or with one that lacks a function."""
    return BackendError(
        f"NVIDIA's driver library (libcuda) does not offer {function} ({str(error).splitlines()[0]}); install or "
        "update the NVIDIA driver; in a container, start it with --gpus all"
    )


def old_driver(has: str, needed: str, bindings: str) -> BackendError:
    """Return the error for a driver older than the CUDA version that the installed packages were made for."""
    return BackendError(
        f"the NVIDIA driver knows CUDA up to {has}, and cuda-bindings {bindings} needs {needed}; "
        f"update the driver, or take packages made for CUDA {has.partition('.')[0]}"
    )
