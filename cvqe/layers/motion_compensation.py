"""A neighbor moved onto its target by a flow that is found at 1/4, refined at 1/2, then at full size.

    target, neighbor -> 1/4 -> flow -> warp
          \\-> + flow, warped -> 1/2 -> flow -> warp
                \\-> + flow, warped -> full size -> flow -> warp

"Multi-Frame Quality Enhancement for Compressed Video" (MFQE), Yang et al., CVPR 2018, section 3.3, after the motion
compensation of VESPCN (Caballero et al., CVPR 2017); 70,842 parameters.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.convolutions import conv
from cvqe.layers.edges import pad_edges
from cvqe.layers.warp import warp

CHANNELS = 24  # as published
MULTIPLE = 4  # the coarsest flow has one place for so many pixels
LARGEST_PX = 64.0  # what a flow of 1 stands for
HALVING_KERNEL = 5
# before a stride of 2 over an even size: what "same" padding means where the authors' framework is at home
SAME = (HALVING_KERNEL - 2) // 2, (HALVING_KERNEL - 1) // 2
Kind = Callable[[int, int], tuple[nn.Module, ...]]


class MotionCompensation(nn.Module):
    """Warp a neighbor so that it shows what the target shows, at any size; a place outside the picture reads as 0."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.coarse = FlowStep(2, channels, (halving, same, halving, same), scale=4)
        self.middle = FlowStep(5, channels, (halving, same, same, same), scale=2)
        self.fine = FlowStep(5, channels, (same, same, same, same), scale=1)

    def forward(self, target: Tensor, neighbor: Tensor) -> Tensor:
        """Return the neighbor [N, 1, H, W], moved; both in [0, 1]."""
        return self.moved_like(target, neighbor, neighbor)

    def moved_like(self, target: Tensor, neighbor: Tensor, plane: Tensor) -> Tensor:
        """Return another plane, moved as the neighbor would be; all are [N, 1, H, W]."""
        height, width = target.shape[-2:]
        flow = self.flow(pad_edges(target, MULTIPLE), pad_edges(neighbor, MULTIPLE))
        return moved(plane, flow[..., :height, :width])

    def flow(self, target: Tensor, neighbor: Tensor) -> Tensor:
        """Return where each pixel of the target is to be read, (x, y) in units of 64 px; sizes are multiples of 4."""
        flow: Tensor = self.coarse(torch.cat([target, neighbor], 1))
        for step in (self.middle, self.fine):
            flow = flow + step(torch.cat([target, neighbor, flow, moved(neighbor, flow)], 1))
        return flow


class FlowStep(nn.Module):
    """Convolutions with a PReLU each, then a flow in (-1, 1) for every pixel of a place."""

    def __init__(self, c_in: int, channels: int, kinds: Sequence[Kind], scale: int) -> None:
        super().__init__()
        seen = (c_in, *[channels] * (len(kinds) - 1))
        layers = [
            layer for kind, c in zip(kinds, seen, strict=True) for layer in (*kind(c, channels), nn.PReLU(channels))
        ]
        self.layers = nn.Sequential(*layers, conv(channels, 2 * scale**2))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Return the flow (x, y), [N, 2, H, W], for planes [N, C, H, W] whose sizes are multiples of 4."""
        return F.pixel_shuffle(torch.tanh(self.layers(x)), self.scale)


def halving(c_in: int, c_out: int) -> tuple[nn.Module, nn.Module]:
    """Return a 5x5 convolution that halves both sizes, behind its padding."""
    return nn.ZeroPad2d((*SAME, *SAME)), nn.Conv2d(c_in, c_out, HALVING_KERNEL, 2)


def same(c_in: int, c_out: int) -> tuple[nn.Module]:
    """Return a 3x3 convolution."""
    return (conv(c_in, c_out),)


def moved(plane: Tensor, flow: Tensor) -> Tensor:
    """Read a plane [N, 1, H, W] where a flow (x, y) in units of 64 px says; its places are float32 at any precision."""
    x, y = flow.float().split(1, 1)
    return warp(plane.float(), LARGEST_PX * torch.cat([y, x], 1)).to(plane.dtype)
