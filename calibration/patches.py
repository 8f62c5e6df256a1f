"""What a convolution sees of real samples: places of its input drawn by seed, and their second moments.

Rounding weights well needs to know which of their errors meet each other: sum_n x_n x_n', over what the kernel covers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from calibration.activations import Feeds, tapped
from calibration.formats import Format
from calibration.graph_view import GraphView, attribute_of, pads_by_itself

N_PLACES = 512  # drawn from each sample
MAX_INPUTS = 2304  # values under a kernel: beyond 256 channels of 3x3 the moments are too large to invert in seconds

Moments = NDArray[np.float64]


@dataclass
class Covered:
    """Sums over the places of a convolution's input, [K] and [K, K]; K = C_in * kh * kw.

    Attributes:
        exact: mean of what the kernel covers.
        rounded: the same of the rounded input.
        moments: second moments of the rounded input.
    """

    exact: Moments
    rounded: Moments
    moments: Moments
    n: int = 0

    @classmethod
    def nothing(cls, size: int) -> "Covered":
        """Start with no place."""
        return cls(np.zeros(size), np.zeros(size), np.zeros((size, size)))

    def see(self, patches: NDArray[np.float32], scale: float, format_: Format) -> None:
        """Add places, [n, K]."""
        rounded = format_.store(patches / np.float32(scale)).astype(np.float64) * scale
        self.exact += patches.sum(0, dtype=np.float64)
        self.rounded += rounded.sum(0)
        self.moments += rounded.T @ rounded
        self.n += len(patches)


def covered(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    amax: Mapping[str, float],
    format_: Format,
    samples: Iterable[Feeds],
    seed: int,
) -> dict[str, Covered]:
    """Look at what these convolutions cover in the float network; by node name.

    Args:
        nodes: convolutions that fits_patches.
        amax: of their inputs.
    """
    view = GraphView(model.graph)
    random = np.random.default_rng(seed)
    seen = {node.name: Covered.nothing(int(np.prod(view.weight(node).shape[1:]))) for node in nodes}
    names = list(dict.fromkeys(node.input[0] for node in nodes))
    for values in tapped(model, names, samples):
        value_of = dict(zip(names, values, strict=True))
        for node in nodes:
            name = node.input[0]
            patches = _patches(value_of[name], node, view.weight(node).shape[2:], random)
            seen[node.name].see(patches, amax[name] / format_.largest, format_)
    return seen


def fits_patches(view: GraphView, node: onnx.NodeProto) -> bool:
    """Tell whether a convolution is a plain one, small enough: no groups, dilations, transposition."""
    weight = view.weight(node)
    plain = node.op_type == "Conv" and attribute_of(node, "group", 1) == 1 and set(_pair(node, "dilations", 1)) == {1}
    return plain and not pads_by_itself(node) and int(np.prod(weight.shape[1:])) <= MAX_INPUTS


def _patches(
    x: NDArray[np.float32], node: onnx.NodeProto, kernel: Sequence[int], random: np.random.Generator
) -> NDArray[np.float32]:
    """Return what the kernel covers at some places, [n, C_in*kh*kw]."""
    top, left, bottom, right = attribute_of(node, "pads", [0, 0, 0, 0])
    padded = np.pad(x[0], ((0, 0), (top, bottom), (left, right)))
    down, across = _pair(node, "strides", 1)
    windows = sliding_window_view(padded, tuple(kernel), (1, 2))[:, ::down, ::across]  # [C, H', W', kh, kw]
    rows, columns = (random.integers(0, side, N_PLACES) for side in windows.shape[1:3])
    return np.ascontiguousarray(windows[:, rows, columns].transpose(1, 0, 2, 3)).reshape(N_PLACES, -1)


def _pair(node: onnx.NodeProto, name: str, default: int) -> Sequence[int]:
    pair: Sequence[int] = attribute_of(node, name, [default, default])
    return pair
