"""The inputs and outputs of an exported network as a GPU library sees them, for one frame size."""

import numpy as np

from cvqe.manifest import ENHANCED, GUIDE, HIDDEN, HIDDEN_NEXT, MEAN, PEAK, QP, WINDOW, Manifest
from runtime.cuda.network import TensorSpec


def pixel_inputs(manifest: Manifest, height: int, width: int) -> tuple[TensorSpec, ...]:
    """Return the window, the peak of byte pairs, and what else the network takes: a QP, a guide, a hidden state."""
    window = TensorSpec(WINDOW, (1, manifest.window_frames, height, width, *_tail(manifest)), np.dtype(np.uint8))
    peak = TensorSpec(PEAK, (), np.dtype(np.float32))
    qp = TensorSpec(QP, (1,), np.dtype(np.float32))
    guide = TensorSpec(GUIDE, (1, 1, height, width), np.dtype(np.float32))
    hidden = _hidden(HIDDEN, manifest, height, width)
    told = [*[qp] * manifest.takes_qp, *[guide] * manifest.takes_guide, *hidden]
    return (window, *[peak] * (manifest.bit_depth == 16), *told)


def pixel_outputs(manifest: Manifest, height: int, width: int) -> tuple[TensorSpec, ...]:
    """Return the enhanced luma, the mean that tells whether all its pixels are numbers, and the next hidden state."""
    enhanced = TensorSpec(ENHANCED, (1, 1, height, width, *_tail(manifest)), np.dtype(np.uint8))
    return (enhanced, TensorSpec(MEAN, (), np.dtype(np.float32)), *_hidden(HIDDEN_NEXT, manifest, height, width))


def _hidden(name: str, manifest: Manifest, height: int, width: int) -> list[TensorSpec]:
    shape = (1, manifest.hidden_channels, height, width)
    return [TensorSpec(name, shape, np.dtype(np.float32))] * manifest.is_recurrent


def _tail(manifest: Manifest) -> tuple[int, ...]:
    return (2,) if manifest.bit_depth == 16 else ()
