"""A network of nothing but copies on the device: it runs wherever the driver does, inside a CUDA graph too."""

from collections.abc import Callable, Mapping

import numpy as np

from cvqe.manifest import ENHANCED, GUIDE, QP, WINDOW
from runtime.cuda.driver import Cuda
from runtime.cuda.pixel_tensors import pixel_inputs, pixel_outputs
from runtime.engine import EngineRequest


class CopyNetwork:
    """See `DeviceNetwork`: the target, with rows of the first and the last frame, the QP, and a part of the guide."""

    backend, precision = "copies", "fp16"

    def __init__(self, cuda: Cuda, request: EngineRequest, is_capturable: bool = True) -> None:
        manifest = request.model.manifest
        self._cuda, self._radius, self.is_capturable = cuda, manifest.radius, is_capturable
        self.inputs = pixel_inputs(manifest, request.height, request.width)
        self.outputs = pixel_outputs(manifest, request.height, request.width)
        self._frame_bytes = self.outputs[0].size_bytes
        self._row_bytes = self._frame_bytes // request.height

    def prepared(self, addresses: Mapping[str, int], stream: int) -> Callable[[], None]:
        window, luma = addresses[WINDOW], addresses[ENHANCED]
        frame, row = self._frame_bytes, self._row_bytes
        copies = [
            (luma, window + self._radius * frame, frame),
            (luma, window, row),
            (luma + frame - row, window + (2 * self._radius + 1) * frame - row, row),
            *([(luma + row, addresses[QP], 4)] if QP in addresses else []),
            *([(luma + 2 * row, addresses[GUIDE], row)] if GUIDE in addresses else []),
        ]

        def launch() -> None:
            for target, source, size in copies:
                self._cuda.copy_on_device(target, source, size, stream)

        launch()
        return launch

    def close(self) -> None:
        """Hold nothing."""


def copied(frames: np.ndarray, qp: float | None, guide: np.ndarray | None = None) -> np.ndarray:
    """Return what the network makes of a window [2R+1, H, W(, 2)]."""
    luma = frames[len(frames) // 2].copy()
    luma[0], luma[-1] = frames[0][0], frames[-1][-1]
    if qp is not None:
        luma[1].reshape(-1)[:4] = np.array([qp], np.float32).view(np.uint8)
    if guide is not None:
        luma[2].reshape(-1)[:] = guide.view(np.uint8).reshape(-1)[: luma[2].size]
    return luma
