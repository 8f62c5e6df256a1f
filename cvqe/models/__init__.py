"""The networks by name; importing this imports no network and no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

from cvqe.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

FACTORIES = {
    "live": "cvqe.models.live:Live",
    "mganet": "cvqe.models.mganet:MGANet",
    "tgafnet": "cvqe.models.tgafnet:TGAFNet",
}


def names() -> tuple[str, ...]:
    """Return what `create` knows, in alphabetical order."""
    return tuple(sorted(FACTORIES))


def create(name: str, **options: object) -> "nn.Module":
    """Build a network with fresh weights.

    Every network has a `radius`; it takes a window [N, 2*radius + 1, H, W] in [0, 1] and returns the enhanced target
    [N, 1, H, W], float32. One that `takes_qp` is told the target's quantiser too, float [N] on the scale of HEVC and
    H.264 (0 to 51): `network(window, qp)`. One that `takes_guide` is given the target's guided map, [N, 1, H, W] in
    [0, 1]: `network(window, guide)`. Where there is a method `residual` of the same inputs, the picture is the target
    plus it, summed in float32.

    Args:
        name: one of `names()`.
        options: the network's own, as its class documents them: `create("tgafnet", blocks=1)`.

    Raises:
        UsageError: there is no network of this name.
    """
    if name not in FACTORIES:
        raise UsageError(f"there is no network {name!r}.\nChoose one of:  {' '.join(names())}")
    module, factory = FACTORIES[name].split(":")
    network: nn.Module = getattr(import_module(module), factory)(**options)
    return network


def takes_qp(network: "nn.Module") -> bool:
    """Tell whether a network is called with the quantiser of its target as a second input."""
    return bool(getattr(network, "takes_qp", False))


def takes_guide(network: "nn.Module") -> bool:
    """Tell whether a network is called with the guided map of its target as a second input."""
    return bool(getattr(network, "takes_guide", False))
