"""One scale for every output channel of a convolution's weights."""

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.formats import Format

Floats = NDArray[np.float32]


def channel_axis(node: onnx.NodeProto) -> int:
    """Return the axis of a convolution's output channels in its weights: 0, of a transposed one 1."""
    return 1 if node.op_type == "ConvTranspose" else 0


def weight_scales(weight: Floats, axis: int, format_: Format) -> Floats:
    """Return amax / largest of each output channel, [C_out]; 1 for a channel of zeros, whose scale is any."""
    others = tuple(each for each in range(weight.ndim) if each != axis)
    amax = np.abs(weight).max(others)
    scales: Floats = np.where(amax > 0, amax / format_.largest, 1.0).astype(np.float32)
    return scales


def along(scales: Floats, axis: int, ndim: int = 4) -> Floats:
    """Return scales [C_out] in the shape in which they multiply weights."""
    return scales.reshape([-1 if each == axis else 1 for each in range(ndim)])
