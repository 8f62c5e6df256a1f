"""A start near the identity for every network that adds to its target, whatever its depth.

With usual draws a picture's brightness, which is 20 times its coding errors, drowns them, neighbors that are not yet
aligned drown the target, and a deep chain of narrow layers passes next to nothing on. So here

* layers that see pixels have kernels without a mean, and see little of any frame but the target,
* layers between pass most of their input on (Zagoruyko and Komodakis, DiracNets, 2017), with a little noise around,
* what is added to the target is small at first, and so are displacements.
"""

import torch
from torch import Tensor, nn

from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.motion_compensation import LARGEST_PX
from cvqe.models import hidden_channels
from training.network_ends import ends_of
from training.start import OFFSET_SPREAD
from training.supervision import output_of, unrolled

PIXEL_GAIN = 2.0  # of differences between pixels, which are a few percent of the range
NOISE = 0.25  # of a layer's usual draw, around the identity
NEIGHBOR_SHARE = 0.1  # of what a layer sees of the target
PROBE_PX = 64
OPEN = 3.0  # before a sigmoid: 95 % pass. Six pairs of gates at 1/2 let a four-thousandth through
MASK_GAIN = 2.0  # deformable convolutions start with every mask at 1/2
FIRST_ADDED = 0.5 / 255  # what is added to a noisy gray target, the mean of its magnitude


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
def start_near_identity(network: nn.Module) -> None:
    """Draw a network's weights anew; biases start at 0, batch norms as they are.

    Raises:
        UsageError: the network is one whose first and last layers are not known, or that draws the picture itself.
    """
    ends = ends_of(network)
    for module in network.modules():
        _draw(module)
    for layer in ends.first:
        layer.weight.copy_(seeing_differences(layer.weight))
    for layer in ends.flow:
        layer.weight.normal_(0, OFFSET_SPREAD / LARGEST_PX)
    for layer in ends.gates:
        nn.init.constant_(layer.bias, OPEN)
    loudness = _loudness(network)
    for layer in ends.last:
        layer.weight.mul_(FIRST_ADDED / loudness)


def seeing_differences(weight: Tensor) -> Tensor:
    """Return a kernel [C_out, C_in, ...] without its mean in any frame, the middle one, the target, seen most."""
    n_frames, middle = weight.shape[1], weight.shape[1] // 2
    shares = torch.full((n_frames,), NEIGHBOR_SHARE if n_frames % 2 else 1.0)
    shares[middle] = 1.0
    gains = PIXEL_GAIN * shares * (n_frames / (shares**2).sum()).sqrt()  # as strong as with all frames alike
    of_frames = weight.flatten(2)
    return ((of_frames - of_frames.mean(2, keepdim=True)) * gains[:, None]).view_as(weight)


def _loudness(network: nn.Module) -> Tensor:
    """Return the mean magnitude of what a network adds to noisy gray, its batch norms at work; they forget it."""
    radius = int(network.radius)
    window = 0.5 + 0.1 * torch.rand(2, 2 * radius + 1, PROBE_PX, PROBE_PX)
    target, qp = window[:, radius, None], torch.full((2,), 37.0)
    if hidden_channels(network):
        enhanced = unrolled(network.train(), window, qp)
    else:
        enhanced = output_of(network.train(), window, qp, target)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return (enhanced - target).abs().mean()


def _draw(module: nn.Module) -> None:
    if isinstance(module, DeformConv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu").mul_(MASK_GAIN)
    elif isinstance(module, nn.ConvTranspose2d):
        n_summed = module.in_channels * module.weight[0, 0].numel() / module.stride[0] ** 2
        module.weight.normal_(0, (2 / n_summed) ** 0.5)
    elif isinstance(module, nn.Conv2d | nn.Conv3d):
        _draw_convolution(module)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _draw_convolution(layer: nn.Conv2d | nn.Conv3d) -> None:
    if not layer.weight.any():  # it finds offsets
        layer.weight.normal_(0, OFFSET_SPREAD)
        return
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.kernel_size[0] > 1:
        passing = nn.init.dirac_(torch.zeros_like(layer.weight))
        layer.weight.mul_(NOISE).add_(passing)
