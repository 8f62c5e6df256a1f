"""How much of each quantised layer's output is signal: its power over that of its difference to the float network's.

    SQNR = 10 log10( sum x^2 / sum (x - g_c x_quantised)^2 )  dB      all that is rounded before the layer counts, too

g_c brings a channel to the float one's size, by least squares: equalised layers give channels of another size, which
the next layer's weights make good.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, log10
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.activations import Feeds, Tap
from cvqe.errors import ModelError

CONVOLUTIONS = ("Conv", "ConvTranspose")  # nothing else is quantised


@dataclass(frozen=True)
class LayerSqnr:
    """One quantised layer: its node's name, the tensor it gives, and its SQNR in dB over all windows."""

    layer: str
    output: str
    sqnr_db: float


def layer_sqnr(reference: onnx.ModelProto, quantised: onnx.ModelProto, windows: Iterable[Feeds]) -> list[LayerSqnr]:
    """Measure every quantised layer on the same windows, in the graph's order, by ONNX Runtime.

    Args:
        reference: the network in floating point; the layers' outputs have the same names in both.
        windows: what the two are fed, one after another.

    Raises:
        ModelError: nothing is quantised, or an output has no counterpart of its name.
    """
    outputs = quantised_layers(quantised)
    _refuse_missing(reference, outputs)
    names = list(outputs.values())
    taps = [Tap(model, names) for model in (reference, quantised)]
    moments = {name: _Moments() for name in names}
    for feeds in windows:
        for name, exact, rounded in zip(names, *(tap(feeds) for tap in taps), strict=True):
            moments[name].add(_by_channel(exact), _by_channel(rounded))
    return [LayerSqnr(layer, name, moments[name].sqnr_db) for layer, name in outputs.items()]


def quantised_layers(model: onnx.ModelProto) -> dict[str, str]:
    """Return the output of every layer whose input and weights come out of DQ nodes, by the node's name."""
    dequantised = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    layers = [node for node in model.graph.node if node.op_type in CONVOLUTIONS]
    return {node.name: node.output[0] for node in layers if set(node.input[:2]) <= dequantised}


def sqnr_db(signal: float, noise: float) -> float:
    """Return the ratio of two powers in dB; infinite without noise."""
    return 10 * log10(signal / noise) if signal and noise else inf if not noise else -inf


class _Moments:
    """Sums of products over all windows, channel by channel: of the exact output, of both, of the rounded one."""

    def __init__(self) -> None:
        self._sums: NDArray[np.float64] | float = 0.0

    def add(self, exact: NDArray[np.float64], rounded: NDArray[np.float64]) -> None:
        """Count one window's outputs, [C, values]."""
        pairs = (exact, exact), (exact, rounded), (rounded, rounded)
        self._sums += np.stack([np.einsum("cn,cn->c", one, other) for one, other in pairs])

    @property
    def sqnr_db(self) -> float:
        """The layer's, with every channel at its best gain."""
        assert isinstance(self._sums, np.ndarray), "no window was measured"
        exact, both, rounded = self._sums
        explained = np.divide(both**2, rounded, out=np.zeros_like(both), where=rounded > 0)
        return sqnr_db(float(exact.sum()), float(np.maximum(exact - explained, 0).sum()))


def _by_channel(output: NDArray[Any]) -> NDArray[np.float64]:
    """Return a layer's output as [C, values]; the channels of a picture are its second axis, else the last."""
    axis = 1 if output.ndim > 2 else -1
    return np.moveaxis(output, axis, 0).reshape(output.shape[axis], -1).astype(np.float64)


def _refuse_missing(reference: onnx.ModelProto, outputs: Mapping[str, str]) -> None:
    if not outputs:
        raise ModelError("no layer reads DequantizeLinear on both sides, so nothing is quantised; expected a file of:  "
                         "python calibration/calibrate.py")  # fmt: skip
    there = {name for node in reference.graph.node for name in node.output}
    missing = sorted(set(outputs.values()) - there)
    if missing:
        raise ModelError(
            f"{len(missing)} quantised layers, {missing[0]} first, have no counterpart in the network that they are "
            "compared with; give the one that it was calibrated from."
        )
