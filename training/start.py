"""A start for TGAFNet and MGANet near the identity, with first layers that see differences of pixels and of frames."""

import torch
from torch import nn

from cvqe.errors import UsageError
from cvqe.models.mganet import MGANet
from cvqe.models.tgafnet import TGAFNet

CENTRED_GAIN = 6.0  # brings differences of a few percent of the range near unit variance
OFFSET_SPREAD = 0.003
RESIDUAL_GAIN = 0.02  # the first outputs are near the input


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
def centre(network: nn.Module) -> None:
    """Start TGAFNet or MGANet near the identity, with first layers that see differences of pixels and of frames.

    Their kernels have no mean, so a picture's brightness, which is 20 times its coding errors, does not drown them.

    Raises:
        UsageError: the network is another one, or an MGANet that draws the picture itself.
    """
    if isinstance(network, TGAFNet):
        _centre_tgafnet(network)
    elif isinstance(network, MGANet) and network.draws_residual:
        _centre_mganet(network)
    else:
        raise UsageError(
            f'network.start = "centred" does not fit this {type(network).__name__}, which starts by "default"; it is '
            "for tgafnet, and for mganet with residual = true."
        )


def _centre_tgafnet(network: TGAFNet) -> None:
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


def _centre_mganet(network: MGANet) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.ConvTranspose2d):
            n_summed = module.in_channels * module.weight[0, 0].numel() / module.stride[0] ** 2
            module.weight.normal_(0, (2 / n_summed) ** 0.5)
    for first in network.first_layers():
        _without_mean(first.weight)
    for last in network.last_layers():
        last.weight.mul_(RESIDUAL_GAIN)


def _without_mean(weight: torch.Tensor) -> None:
    weight.sub_(weight.mean((1, 2, 3), keepdim=True)).mul_(CENTRED_GAIN)
