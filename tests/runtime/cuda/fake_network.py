"""A network for the simulated device: every byte it gives depends on every frame, every input and its scratch."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import numpy as np

from cvqe.manifest import GUIDE, HIDDEN, HIDDEN_NEXT, MEAN, PEAK, QP, WINDOW, Manifest
from cvqe.neighbors import ADJACENT
from runtime.cuda.pixel_tensors import pixel_inputs, pixel_outputs
from runtime.engine import EngineRequest
from runtime.model_file import ModelFile
from tests.runtime.cuda.simulated_driver import SimulatedCuda, Steps

BROKEN = 77  # a target that begins with this gives NaN


def request_for(
    radius: int,
    height: int,
    width: int,
    bit_depth: int = 8,
    takes_qp: bool = True,
    takes_guide: bool = False,
    neighbors: str = ADJACENT,
    hidden_channels: int = 0,
) -> EngineRequest:
    manifest = Manifest(
        "fake",
        {},
        radius,
        (20, 45),
        8 if bit_depth == 8 else 16,
        "fp16",
        1,
        "0" * 64,
        "2026-01-01",
        "0",
        takes_qp=takes_qp,
        takes_guide=takes_guide,
        neighbors=neighbors,
        hidden_channels=hidden_channels,
    )
    return EngineRequest(ModelFile(Path("fake.onnx"), manifest, b""), height, width, bit_depth)


def enhanced(
    frames: np.ndarray, qp: float | None, peak: int | None, guide: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Return what the network makes of a window [2R+1, H, W(, 2)] and a guide [H, W]: luma and mean."""
    weights = np.arange(3, 3 + 2 * len(frames), 2, dtype=np.uint64)
    extra: int | np.ndarray = int(5 * (qp or 0)) + (peak or 0) // 7
    if guide is not None:
        levels = np.round(4 * guide).astype(np.uint64)
        extra = extra + levels.reshape(*guide.shape, *[1] * (frames.ndim - 3))
    luma = (np.tensordot(weights, frames.astype(np.uint64), 1) + extra).astype(np.uint8)
    return luma, float("nan") if frames[len(frames) // 2].flat[0] == BROKEN else 0.5


def recalled(luma: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add to luma [H, W(, 2)] what the frames before left behind, [C, H, W]; return it and what is left behind now."""
    extra = hidden.sum(0).astype(np.int64).astype(np.uint8)
    result = luma + extra.reshape(*extra.shape, *[1] * (luma.ndim - 2))
    planes = result if result.ndim == 2 else result[..., 0]
    return result, np.floor(hidden / 2 + planes).astype(np.float32)


class FakeNetwork:
    """See `DeviceNetwork`; its scratch memory is one for all launches, as an execution context's is."""

    backend, precision = "fake", "fp16"

    def __init__(self, cuda: SimulatedCuda, request: EngineRequest, is_capturable: bool = True) -> None:
        manifest = request.model.manifest
        self._cuda, self.is_capturable, self.n_launches = cuda, is_capturable, 0
        self.inputs = pixel_inputs(manifest, request.height, request.width)
        self.outputs = pixel_outputs(manifest, request.height, request.width)
        self._frame_shape = self.inputs[0].shape[2:]
        self._scratch = cuda.allocate(self.outputs[0].size_bytes)

    def prepared(self, addresses: Mapping[str, int], stream: int) -> Callable[[], None]:
        specs = {spec.name: spec for spec in (*self.inputs, *self.outputs)}
        assert addresses.keys() == specs.keys()
        assert all(address % 256 == 0 for address in addresses.values())
        # a constant is there already, and everything else is zero
        for name in addresses.keys() - {PEAK, HIDDEN_NEXT}:
            assert not self._cuda.memory(addresses[name], specs[name].size_bytes).any()

        def launch() -> None:
            self.n_launches += 1
            self._cuda.run(stream, lambda: self._steps(addresses))

        launch()
        return launch

    def close(self) -> None:
        self._cuda.free(self._scratch)

    def _steps(self, addresses: Mapping[str, int]) -> Steps:
        window, luma, mean, *_ = self.inputs[0], *self.outputs
        frames = self._read(addresses[WINDOW], window.size_bytes).reshape(window.shape[1:])
        yield
        qp = self._read(addresses[QP], 4).view(np.float32)[0] if QP in addresses else None
        size = frames.shape[1] * frames.shape[2]
        peak = int(self._read(addresses[PEAK], 4).view(np.float32)[0]) if PEAK in addresses else None
        guide = self._read(addresses[GUIDE], 4 * size).view(np.float32) if GUIDE in addresses else None
        result, average = enhanced(frames, qp, peak, None if guide is None else guide.reshape(frames.shape[1:3]))
        if HIDDEN in addresses:
            result = yield from self._recall(addresses, result)
        self._cuda.memory(self._scratch, luma.size_bytes)[:] = result.ravel()
        yield
        self._cuda.memory(addresses[luma.name], luma.size_bytes)[:] = self._read(self._scratch, luma.size_bytes)
        self._cuda.memory(addresses[MEAN], 4)[:] = np.array([average], mean.dtype).view(np.uint8)
        yield

    def _recall(self, addresses: Mapping[str, int], luma: np.ndarray) -> Generator[None, None, np.ndarray]:
        """Add what the frames before left behind, and leave the sum behind."""
        spec = self.outputs[-1]
        hidden = self._read(addresses[HIDDEN], spec.size_bytes).view(np.float32).reshape(spec.shape[1:])
        yield
        result, hidden_next = recalled(luma, hidden)
        self._cuda.memory(addresses[HIDDEN_NEXT], spec.size_bytes)[:] = hidden_next.ravel().view(np.uint8)
        yield
        return result

    def _read(self, address: int, size: int) -> np.ndarray:
        return self._cuda.memory(address, size).copy()
