"""torch on an NVIDIA GPU: the network itself in half precision, channels last, with our DeformConv kernel, as a graph.

The reference where TensorRT is absent, and the only part of the runtime that imports torch.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import BackendError
from cvqe.layers.pixel_ends import PixelEnds
from cvqe.manifest import HIDDEN, WINDOW
from plugins.deform_conv.torch_op import register
from runtime.cuda.cuda_engine import CudaEngine
from runtime.cuda.driver import Cuda
from runtime.cuda.network import Launch, TensorSpec
from runtime.cuda.network_device import engine_on_device
from runtime.cuda.pixel_tensors import pixel_inputs, pixel_outputs
from runtime.engine import EngineRequest, names_of_frame_inputs

DTYPES = {"fp16": torch.float16, "fp32": torch.float32}
WARM_UPS = 2  # cuDNN picks its algorithms, our kernels are compiled and loaded


class TorchNetwork:
    """A network between integer ends on a device of torch's."""

    backend = "torch-cuda"
    is_capturable = False  # torch records graphs itself, with memory of its own inside

    def __init__(self, request: EngineRequest, device: torch.device) -> None:
        self.precision = "fp16" if request.precision == "auto" else request.precision
        if self.precision not in DTYPES:
            raise BackendError(f"torch-cuda computes in {' or '.join(DTYPES)}, not in {self.precision}.")
        manifest = request.model.for_bit_depth(request.bit_depth).manifest
        if manifest.is_quantised:
            raise BackendError(
                f"{request.model.path} is calibrated for {manifest.precision}, which torch-cuda does not compute in; "
                "give it the network that it was calibrated from."
            )
        self.inputs = pixel_inputs(manifest, request.height, request.width)
        self.outputs = pixel_outputs(manifest, request.height, request.width)
        network = network_from_checkpoint(load_checkpoint(request.model.path))
        half = network.to(device, DTYPES[self.precision], memory_format=torch.channels_last)
        self._ends = PixelEnds(half, request.bit_depth).eval()
        self._others = [*names_of_frame_inputs(manifest), *[HIDDEN] * manifest.is_recurrent]
        self._device = device
        self._pool: Any = None

    def prepared(self, addresses: Mapping[str, int], stream: int) -> Launch:
        """Warm up and record a graph; all graphs share one pool of memory. See `DeviceNetwork`."""
        tensors = {spec.name: tensor_at(addresses[spec.name], spec) for spec in (*self.inputs, *self.outputs)}
        own_stream = torch.cuda.ExternalStream(stream, device=self._device)
        # fp32 is float32: torch would let cuDNN round to TF32's 10 bits of mantissa
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False)
        with torch.cuda.device(self._device), torch.cuda.stream(own_stream), torch.inference_mode(), exact:
            for _ in range(WARM_UPS):
                self._run(tensors)
            own_stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=own_stream):
                self._run(tensors)
        self._pool = self._pool or graph.pool()

        def launch() -> None:
            with torch.cuda.stream(own_stream):
                graph.replay()

        return launch

    def close(self) -> None:
        """Let go of the weights; torch keeps the memory for its next user."""
        del self._ends
        self._pool = None

    def _run(self, tensors: Mapping[str, Tensor]) -> None:
        results = self._ends(tensors[WINDOW], *(tensors[name] for name in self._others))
        for spec, result in zip(self.outputs, results, strict=True):
            tensors[spec.name].copy_(result)


class _DeviceArray:
    """Memory at an address, as the CUDA array interface describes it; torch takes it without a copy."""

    def __init__(self, address: int, spec: TensorSpec) -> None:
        self.__cuda_array_interface__ = {
            "shape": spec.shape,
            "typestr": spec.dtype.str,
            "data": (address, False),
            "strides": None,
            "version": 3,
        }


def tensor_at(address: int, spec: TensorSpec) -> Tensor:
    """Return device memory at an address as a tensor over the same bytes."""
    tensor: Tensor = torch.as_tensor(_DeviceArray(address, spec), device="cuda")
    return tensor


def open_engine(request: EngineRequest) -> CudaEngine:
    """Load the weights onto the GPU and record the graphs.

    Raises:
        BackendError: no GPU, a torch without CUDA, or too little memory.
    """
    if not torch.cuda.is_available():
        raise BackendError(
            f"torch {torch.__version__} sees no GPU, so --backend torch-cuda can't be used; a CUDA build of torch and "
            "an NVIDIA GPU were expected. Run on what is here:  --backend openvino"
        )

    def load(cuda: Cuda) -> TorchNetwork:
        register()
        return TorchNetwork(request, torch.device("cuda", cuda.device.ordinal))

    return engine_on_device(request, load, f"torch can't run {request.model.path} on the GPU")
