"""How a network's weights start."""

from collections.abc import Callable

import torch
from torch import nn

from cvqe.errors import UsageError
from cvqe.models.tgafnet import TGAFNet

CENTRED_GAIN = 6.0  # brings differences of a few percent of the range near unit variance
OFFSET_SPREAD = 0.003
RESIDUAL_GAIN = 0.02  # the first outputs are near the input


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
def centre(network: nn.Module) -> None:
    """Start TGAFNet near the identity, with first layers that see differences between pixels and between frames.

    Their kernels have no mean, so a picture's brightness, which is 20 times its coding errors, does not drown them.

    Raises:
        UsageError: the network is another one.
    """
    if not isinstance(network, TGAFNet):
        raise UsageError(f'network.start = "centred" is TGAFNet\'s; {type(network).__name__} starts by "default".')
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for block in network.deform_blocks():
        block.offset_mask.weight.normal_(0, OFFSET_SPREAD)
        _without_mean(block.deform_conv.weight)
    _without_mean(network.inputconv[0].weight)
    nn.init.zeros_(network.wpnet.offset_mask.weight)
    network.qenet.out_conv.weight.mul_(RESIDUAL_GAIN)


def _without_mean(weight: torch.Tensor) -> None:
    weight.sub_(weight.mean((1, 2, 3), keepdim=True)).mul_(CENTRED_GAIN)


STARTS: dict[str, Callable[[nn.Module], None]] = {"default": lambda network: None, "centred": centre}
