"""The networks by name; importing this imports no network and no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

from cvqe.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

FACTORIES = {
    "arcnn": "cvqe.models.arcnn:ARCNN",
    "cf_stif": "cvqe.models.cf_stif:CFSTIF",
    "dcad": "cvqe.models.dcad:DCAD",
    "dncnn": "cvqe.models.dncnn:DnCNN",
    "live": "cvqe.models.live:Live",
    "memnet": "cvqe.models.memnet:MemNet",
    "mfqe": "cvqe.models.mfqe:MFQE",
    "mfqe2": "cvqe.models.mfqe2:MFQE2",
    "mganet": "cvqe.models.mganet:MGANet",
    "rfda": "cvqe.models.rfda:RFDA",
    "stdf_r1": "cvqe.models.stdf:stdf_r1",
    "stdf_r3": "cvqe.models.stdf:stdf_r3",
    "stdf_r3l": "cvqe.models.stdf:stdf_r3l",
    "tgafnet": "cvqe.models.tgafnet:TGAFNet",
    "vrcnn": "cvqe.models.vrcnn:VRCNN",
}


def names() -> tuple[str, ...]:
    """Return what `create` knows, in alphabetical order."""
    return tuple(sorted(FACTORIES))


def create(name: str, **options: object) -> "nn.Module":
    """Build a network with fresh weights.

    Every network has a `radius`; it takes a window [N, 2*radius + 1, H, W] in [0, 1] and returns the enhanced target
    [N, 1, H, W], float32. One that `takes_qp` is told the target's quantiser too, float [N] on the scale of HEVC and
    H.264 (0 to 51): `network(window, qp)`. One that `takes_guide` is given the target's guided map, [N, 1, H, W] in
    [0, 1]: `network(window, guide)`. One with `hidden_channels` goes on from frame to frame: it is given what it left
    behind with the frame before, float32 [N, C, H, W], zeros where a scene begins, and returns what it leaves behind
    beside the picture: `enhanced, hidden = network(window, hidden)`. Where there is a method `residual` of the same
    inputs, the picture is the target plus it, summed in float32.

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


def hidden_channels(network: "nn.Module") -> int:
    """Return the channels of the state that a network hands on from frame to frame; 0 where it hands on nothing."""
    return int(getattr(network, "hidden_channels", 0))
