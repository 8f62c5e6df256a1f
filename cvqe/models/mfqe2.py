"""MFQE 2.0: two neighbors of high quality moved onto the target, and kernels of three sizes on all three frames.

    before -> moved \\
    target ----------> 3x3, 5x5, 7x7 of each -> convolutions -> + target
    after --> moved /

"MFQE 2.0: A New Approach for Multi-Frame Quality Enhancement on Compressed Video", Guan et al., IEEE TPAMI 2021. With
its motion compensation it has 255,422 parameters as published for QP 37 and 42, densely connected, and 222,859 for QP
22, 27 and 32. Its neighbors are the nearest frames of peak quality before and after the target.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from cvqe.layers.convolutions import conv
from cvqe.layers.motion_compensation import CHANNELS as MOTION_CHANNELS
from cvqe.layers.motion_compensation import MotionCompensation
from cvqe.layers.target import onto_target

KERNEL_SIZES = (3, 5, 7)
N_FRAMES = 3
N_SEEN = N_FRAMES * len(KERNEL_SIZES)  # sets of channels before the layers that read all of them


class MFQE2(nn.Module):
    """Enhance the middle frame of three."""

    radius = 1

    def __init__(self, dense: bool = True, channels: int = 32, motion: int = MOTION_CHANNELS) -> None:
        """Build with fresh weights.

        Args:
            dense: densely connected layers with batch norms, as for QP 37 and 42; else a plain chain of them, as for
                QP 22, 27 and 32.
            channels: of each kernel size, and of the layers behind.
            motion: channels of the motion compensation.
        """
        super().__init__()
        self.is_dense = dense
        self.motion = MotionCompensation(motion)
        self.heads = nn.ModuleList([ThreeSizes(channels) for _ in range(N_FRAMES)])
        self.tail = DenseTail(channels) if dense else plain_tail(channels)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance the target of a window [N, 3, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the target, [N, 1, H, W], at any size."""
        before, target, after = window.to(self.heads[0].sizes[0].weight.dtype).split(1, 1)
        frames = self.motion(target, before), target, self.motion(target, after)
        seen = [head(frame) for head, frame in zip(self.heads, frames, strict=True)]
        lacking: Tensor = self.tail(torch.cat(seen, 1))
        return lacking


class ThreeSizes(nn.Module):
    """A frame seen through kernels of three sizes side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sizes = nn.ModuleList([conv(1, channels, size) for size in KERNEL_SIZES])
        self.activation = nn.PReLU(len(KERNEL_SIZES) * channels)

    def forward(self, frame: Tensor) -> Tensor:
        """Return features [N, 3C, H, W] of a frame [N, 1, H, W]."""
        seen: Tensor = self.activation(torch.cat([layer(frame) for layer in self.sizes], 1))
        return seen


class DenseTail(nn.Module):
    """Five layers, each of which reads all those before it, then one to a single channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_norm(N_SEEN * channels, channels)
        self.dense = nn.ModuleList([conv_norm(n * channels, channels) for n in range(1, 5)])
        self.last = conv_norm(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn features [N, 9C, H, W] into what the target lacks, [N, 1, H, W]."""
        seen = [self.first(x)]
        for layer in self.dense:
            seen.append(layer(torch.cat(seen, 1)))
        lacking: Tensor = self.last(seen[-1])
        return lacking


def plain_tail(channels: int) -> nn.Sequential:
    """Return layers that turn features [N, 9C, H, W] into what the target lacks, one behind the other."""
    widths = (N_SEEN * channels, *[channels] * 7, channels // 2)
    layers = [layer for c_in, c_out in pairwise(widths) for layer in conv_prelu(c_in, c_out)]
    return nn.Sequential(*layers, conv(widths[-1], 1))


def conv_prelu(c_in: int, c_out: int) -> tuple[nn.Module, nn.Module]:
    """Return a 3x3 convolution with its PReLU, one slope a channel."""
    return conv(c_in, c_out), nn.PReLU(c_out)


def conv_norm(c_in: int, c_out: int) -> nn.Sequential:
    """Return a 3x3 convolution with its batch norm and PReLU."""
    return nn.Sequential(conv(c_in, c_out), nn.BatchNorm2d(c_out), nn.PReLU(c_out))
