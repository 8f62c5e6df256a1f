"""What rounding shifts a convolution's outputs by in the mean, taken off its bias.

b += E[W x] - E[W_q x_q]       Nagel et al., ICCV 2019, section 4.2, with the mean of real samples
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from calibration.graph_view import GraphView
from calibration.patches import Covered

CORRECTED = "/corrected_bias"


def with_corrected_biases(
    model: onnx.ModelProto, weights: Mapping[str, NDArray[np.float32]], seen: Mapping[str, Covered]
) -> onnx.ModelProto:
    """Return a copy of a float network with biases that a rounded one needs.

    Args:
        weights: rounded weights by name, back on the scale of the exact ones.
        seen: of each convolution to correct, by node name.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    view = GraphView(copy.graph)
    for node in view.convolutions():
        if node.name in seen:
            shift = _shift(view.weight(node), weights[node.input[1]], seen[node.name])
            bias = numpy_helper.to_array(view.constants[node.input[2]]) if len(node.input) > 2 else 0.0
            name = node.name + CORRECTED
            copy.graph.initializer.append(numpy_helper.from_array((bias + shift).astype(np.float32), name))
            del node.input[2:]
            node.input.append(name)
    return copy


def _shift(exact: NDArray[np.float32], rounded: NDArray[Any], seen: Covered) -> NDArray[np.float64]:
    flat = [weight.reshape(len(weight), -1).astype(np.float64) for weight in (exact, rounded)]
    shift: NDArray[np.float64] = (flat[0] @ seen.exact - flat[1] @ seen.rounded) / seen.n
    return shift
