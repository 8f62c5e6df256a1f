"""A device, the network on it, its hidden state and three streams: what all rings of one engine share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import BackendError
from cvqe.manifest import ENHANCED, HIDDEN, HIDDEN_NEXT, MEAN, WINDOW
from runtime.cuda.driver import Cuda
from runtime.cuda.hidden_memory import HiddenMemory
from runtime.cuda.network import DeviceNetwork, TensorSpec
from runtime.cuda.resources import Resources
from runtime.cuda.tensor_block import TensorBlock

Values = Mapping[str, NDArray[Any]]


class Gpu:
    """Three streams, and the inputs that never change."""

    def __init__(
        self,
        cuda: Cuda,
        network: DeviceNetwork,
        constants: Values,
        per_frame: Sequence[str],
        is_recurrent: bool = False,
    ) -> None:
        """Take device and network over: both are closed with this.

        Args:
            constants: inputs besides the window that are the same for every frame.
            per_frame: names of the inputs that every frame has its own of.
            is_recurrent: it has a hidden state, too, which stays on the device.

        Raises:
            BackendError: the network's inputs or outputs are others, or memory is short.
        """
        self.cuda, self.network = cuda, network
        self._rings: list[Resources] = []
        self._resources = Resources(cuda)
        self._resources.at_close(cuda.close)
        try:
            self._open_streams()
            self._set_up(constants, per_frame, is_recurrent)
        except BaseException:
            self.close()
            raise

    def _open_streams(self) -> None:
        try:
            self.upload, self.compute, self.download = (self._resources.stream() for _ in range(3))
        finally:  # a library's session may still look at its stream while it is closed: the streams go after it
            self._resources.at_close(self.network.close)

    def _set_up(self, constants: Values, per_frame: Sequence[str], is_recurrent: bool) -> None:
        inputs = _inputs(self.network, (WINDOW, *constants, *per_frame, *[HIDDEN] * is_recurrent))
        self.window = inputs[WINDOW]
        outputs = _outputs(self.network, self.window, is_recurrent)
        self.outputs = TensorBlock([outputs[name] for name in (ENHANCED, MEAN)])
        states = (inputs[HIDDEN], outputs[HIDDEN_NEXT]) if is_recurrent else None
        self.hidden = HiddenMemory(self.cuda, self._resources, states, self.compute)
        self.per_frame = TensorBlock([inputs[name] for name in per_frame])
        self.constants = self._uploaded(TensorBlock([inputs[name] for name in constants]), constants)

    def ring_resources(self) -> Resources:
        """Return a new owner for what one ring takes; it is closed with the device at the latest."""
        self._rings = [ring for ring in self._rings if not ring.is_closed]
        self._rings.append(Resources(self.cuda))
        return self._rings[-1]

    def close(self) -> None:
        """Give everything back: rings, network, streams, device. Again: nothing."""
        for ring in self._rings:
            ring.close()
        self._resources.close()

    @property
    def n_window(self) -> int:
        """Frames in a window."""
        return self.window.shape[1]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """[H, W], or [H, W, 2] for byte pairs."""
        return self.window.shape[2:]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame's luma."""
        return self.window.size_bytes // self.n_window

    def _uploaded(self, block: TensorBlock, values: Values) -> dict[str, int]:
        """Put tensors into the device's memory for good, ahead of what the compute stream does later."""
        if not block.specs:
            return {}
        base = self._resources.device_memory(block.size_bytes, self.compute)
        staging = self._resources.pinned_memory(block.size_bytes)
        for name, view in block.views(staging).items():
            view[...] = values[name]
        self.cuda.copy_to_device(base, staging.address, block.size_bytes, self.compute)
        return block.addresses(base)


def _inputs(network: DeviceNetwork, names: Iterable[str]) -> dict[str, TensorSpec]:
    inputs = {spec.name: spec for spec in network.inputs}
    window = inputs.get(WINDOW)
    if window is None or inputs.keys() != set(names) or not _is_luma(window):
        raise _foreign(network, "takes", network.inputs, f"{', '.join(names)}, uint8 {WINDOW} [1, 2R+1, H, W] first,")
    return inputs


def _outputs(network: DeviceNetwork, window: TensorSpec, is_recurrent: bool) -> dict[str, TensorSpec]:
    outputs = {spec.name: spec for spec in network.outputs}
    luma, shape, others = outputs.get(ENHANCED), (1, 1, *window.shape[2:]), [MEAN, *[HIDDEN_NEXT] * is_recurrent]
    if luma is None or outputs.keys() != {ENHANCED, *others} or not _is_luma(luma) or luma.shape != shape:
        raise _foreign(network, "gives", network.outputs, f"uint8 {ENHANCED} {list(shape)} and {' and '.join(others)}")
    return outputs


def _is_luma(spec: TensorSpec) -> bool:
    return spec.dtype == np.uint8 and len(spec.shape) in (4, 5) and spec.shape[0] == 1


def _foreign(network: DeviceNetwork, verb: str, found: Iterable[TensorSpec], expected: str) -> BackendError:
    specs = ", ".join(f"{spec.dtype} {spec.name} {list(spec.shape)}" for spec in found)
    return BackendError(
        f"this {network.backend} network {verb} {specs}; {expected} were expected. "
        "Export it again:  python export/to_onnx.py"
    )
