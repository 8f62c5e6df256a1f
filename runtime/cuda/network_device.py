"""From a device and a network on it to an engine that has proven to run."""

from collections.abc import Callable

from cvqe.errors import BackendError
from runtime.cuda.cuda_engine import CudaEngine
from runtime.cuda.driver import Cuda, open_cuda
from runtime.cuda.library_errors import library_errors
from runtime.cuda.network import DeviceNetwork
from runtime.engine import EngineRequest

INSTEAD = "Run on the CPU:  --backend openvino"


def engine_on_device(request: EngineRequest, load: Callable[[Cuda], DeviceNetwork], problem: str) -> CudaEngine:
    """Open the device, load a network onto it, and prepare it for one window, so that what is missing shows now.

    Args:
        load: puts the network on the device.
        problem: the beginning of the sentence for what a library raises, as in "torch can't run live.onnx".

    Raises:
        BackendError: there is no device, too little memory, or the library fails.
        CvqeError: raised by `load` itself.
    """
    try:
        cuda = open_cuda()
    except BackendError as error:
        raise BackendError(f"{error}\n{INSTEAD}") from error
    try:
        with library_errors(problem):
            network = load(cuda)
    except BaseException:
        cuda.close()
        raise
    engine = CudaEngine(cuda, network, request)
    try:
        engine.prepare()
    except BackendError as error:
        engine.close()
        raise BackendError(f"{error}\n{INSTEAD}") from error
    except BaseException:
        engine.close()
        raise
    return engine
