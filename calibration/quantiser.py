"""A float network rounded to 8 bits, from what flows through it on real samples.

fold weights -> place -> [equalise channels] -> observe -> centre pixels -> [round weights together] -> Q/DQ
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.activations import Feeds, observe
from calibration.bias_correction import with_corrected_biases
from calibration.centring import AMAX, CENTRED, centred, holds_levels
from calibration.equalisation import equalised
from calibration.folded import folded_model
from calibration.formats import FORMATS, Format
from calibration.graph_view import GraphView
from calibration.observers import amax_of
from calibration.patches import Covered, covered, fits_patches
from calibration.placement import Placement, Role, can_be_centred, place
from calibration.qdq import quantised_inputs, with_qdq
from calibration.rounding import rounded_together
from calibration.weight_scales import along, channel_axis, weight_scales
from cvqe.errors import UsageError

EQUALISE, ROUNDING, BIAS = RECOVERIES = ("equalise", "rounding", "bias")


@dataclass(frozen=True)
class QuantiserOptions:
    """How a network is rounded.

    Attributes:
        to: one of FORMATS.
        observer: one of OBSERVERS; None: the format's own.
        recovery: of RECOVERIES: "equalise" brings channels of one tensor together, "rounding" rounds a kernel's weights
            together, "bias" takes off mean errors.
        also: roles that are quantised all the same.
        keep: names of more convolutions that are not.
        seed: of the places that recovery looks at.
    """

    to: str = "int8"
    observer: str | None = None
    recovery: Sequence[str] = (EQUALISE, ROUNDING)
    also: Collection[Role] = ()
    keep: Collection[str] = ()
    seed: int = 0


@dataclass(frozen=True)
class Prepared:
    """A float network ready to be rounded, and everything that is needed for it.

    Attributes:
        base: the network, folded, its pixels centred and its channels equalised.
        amax: of every tensor that a convolution of the placement reads.
        weights: rounded weights by name, where recovery has chosen them.
        observer: that chose amax.
    """

    base: onnx.ModelProto
    placement: Placement
    amax: Mapping[str, float]
    weights: Mapping[str, NDArray[Any]]
    to: str
    observer: str

    def quantised(self, only: Collection[str] | None = None) -> onnx.ModelProto:
        """Return the network with Q/DQ, at those convolutions of the placement that are named, or at all."""
        chosen = self.placement.quantised if only is None else tuple(only)
        return with_qdq(self.base, Placement(chosen, {}), self.amax, FORMATS[self.to], self.weights)


def prepare(model: onnx.ModelProto, samples: Sequence[Feeds], options: QuantiserOptions) -> Prepared:
    """Observe a network as exported, and round its weights.

    Args:
        samples: what it is fed, one after another.

    Raises:
        UsageError: `keep` names no convolution, none is left to round, or the observer is none of the format's.
        ModelError: an activation is NaN or infinite.
    """
    observer = options.observer or FORMATS[options.to].observer
    if observer not in FORMATS[options.to].observers:
        raise UsageError(f"--observer {observer} weighs even steps, which {options.to} has not; choose min-max.")
    folded = folded_model(model)
    placement = place(folded, options.also, options.keep)
    if not placement.quantised:
        raise UsageError(f"no convolution is left to round: {_roles_told(placement)}. Round some:  --quantise ROLE")
    if EQUALISE in options.recovery:
        folded = equalised(folded, samples)
    base, amax = _observed(folded, placement, samples, observer)
    base, weights = _recovered(base, placement, amax, samples, options)
    return Prepared(base, placement, amax, weights, options.to, observer)


def _roles_told(placement: Placement) -> str:
    return "; ".join(dict.fromkeys(placement.high_precision.values())) or "the network has none"


def _observed(
    folded: onnx.ModelProto, placement: Placement, samples: Sequence[Feeds], observer: str
) -> tuple[onnx.ModelProto, dict[str, float]]:
    """Return the float network with its pixels centred, and the amax of each tensor to be rounded."""
    seen = observe(folded, quantised_inputs(folded, placement), samples)
    view = GraphView(folded.graph)
    levels = [
        node.name
        for node in view.convolutions()
        if node.name in placement.quantised and can_be_centred(view, node) and holds_levels(seen[node.input[0]])
    ]
    base = centred(folded, levels) if levels else folded
    names = quantised_inputs(base, placement)
    return base, {name: AMAX if name.endswith(CENTRED) else amax_of(seen[name], observer) for name in names}


def _recovered(
    base: onnx.ModelProto,
    placement: Placement,
    amax: Mapping[str, float],
    samples: Sequence[Feeds],
    options: QuantiserOptions,
) -> tuple[onnx.ModelProto, Mapping[str, NDArray[Any]]]:
    """Return the network, perhaps with other biases, and rounded weights; none where the nearest are taken."""
    if not {ROUNDING, BIAS} & set(options.recovery):
        return base, {}
    format_, view = FORMATS[options.to], GraphView(base.graph)
    nodes = [node for node in view.convolutions() if node.name in placement.quantised and fits_patches(view, node)]
    seen = covered(base, nodes, amax, format_, samples, options.seed)
    weights = _weights(view, nodes, seen, format_, ROUNDING in options.recovery)
    if BIAS in options.recovery:
        base = with_corrected_biases(base, _as_floats(view, nodes, weights, format_), seen)
    return base, weights


def _weights(
    view: GraphView, nodes: Sequence[onnx.NodeProto], seen: Mapping[str, Covered], format_: Format, together: bool
) -> dict[str, NDArray[Any]]:
    """Return rounded weights by name; two convolutions that share theirs are looked at together."""
    rounded = {}
    for name, axis in {node.input[1]: channel_axis(node) for node in nodes}.items():
        readers = [node for node in nodes if node.input[1] == name]
        weight = view.weight(readers[0])
        scales = weight_scales(weight, axis, format_)
        moments = np.sum([seen[node.name].moments for node in readers], axis=0)
        rounded[name] = (
            rounded_together(weight, scales, moments, format_)
            if together
            else format_.store(weight / along(scales, axis))
        )
    return rounded


def _as_floats(
    view: GraphView, nodes: Sequence[onnx.NodeProto], stored: Mapping[str, NDArray[Any]], format_: Format
) -> dict[str, NDArray[Any]]:
    floats = {}
    for node in nodes:
        axis, name = channel_axis(node), node.input[1]
        floats[name] = stored[name].astype(np.float32) * along(weight_scales(view.weight(node), axis, format_), axis)
    return floats
