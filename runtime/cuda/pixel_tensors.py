"""The inputs and outputs of an exported network as a GPU library sees them, for one frame size."""

import numpy as np

from cvqe.manifest import ENHANCED, GUIDE, MEAN, PEAK, QP, WINDOW, Manifest
from runtime.cuda.network import TensorSpec


def pixel_inputs(manifest: Manifest, height: int, width: int) -> tuple[TensorSpec, ...]:
    """Return the window, the peak of byte pairs, and what else the network takes: a QP, a guide."""
    window = TensorSpec(WINDOW, (1, manifest.window_frames, height, width, *_tail(manifest)), np.dtype(np.uint8))
    peak = TensorSpec(PEAK, (), np.dtype(np.float32))
    qp = TensorSpec(QP, (1,), np.dtype(np.float32))
    guide = TensorSpec(GUIDE, (1, 1, height, width), np.dtype(np.float32))
    return (window, *[peak] * (manifest.bit_depth == 16), *[qp] * manifest.takes_qp, *[guide] * manifest.takes_guide)


def pixel_outputs(manifest: Manifest, height: int, width: int) -> tuple[TensorSpec, ...]:
    """Return the enhanced luma and the mean that tells whether every pixel of it is a number."""
    enhanced = TensorSpec(ENHANCED, (1, 1, height, width, *_tail(manifest)), np.dtype(np.uint8))
    return enhanced, TensorSpec(MEAN, (), np.dtype(np.float32))


def _tail(manifest: Manifest) -> tuple[int, ...]:
    return (2,) if manifest.bit_depth == 16 else ()
