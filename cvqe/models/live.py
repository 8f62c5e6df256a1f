"""Live: a small network for real time, at half and quarter resolution.

    window [N, 7, H, W] -> 6x6, stride 2 -> head --------------------+-> merge -> tail -> shuffle 2 -> residual
                                              \\-> stride 2 -> body -> up -/

The first layer is a 3x3 convolution on the pixel-unshuffled grid, written as one of 6x6 with stride 2: the same
sums without moving a pixel (2.5 times faster as a whole on a CPU at 720p).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RADIUS = 3
CELL = 4  # the coarse grid: one cell for 4x4 pixels
MARGIN = 2  # what the 6x6 kernel reaches beyond its 2x2 pixels
LEVELS = 255.0  # the first layer sees 8-bit levels: whole numbers, exact in bfloat16
DETAIL_GAIN = 4.0 / LEVELS  # brings differences, mostly below a tenth of the range, near unit variance


def activation(x: Tensor) -> Tensor:
    """Return LeakyReLU 0.1 of x: with ReLU a narrow layer died as a whole early in training."""
    return F.leaky_relu(x, 0.1)


class DifferenceConv2d(nn.Conv2d):
    """A convolution over a window whose kernels see only differences, never brightness.

    Neighbours enter as differences to the target, and the target as its detail (its kernel has no mean).
    Both are linear, so they act on the weights: the frames are read once, as they are. On raw pixels a residual of
    a few levels hides behind the picture's brightness, and training does not start.
    """

    def kernel(self) -> Tensor:
        """Return the kernel for plain frames in levels, [C_out, 2R+1, K, K]."""
        before, target, after = self.weight[:, :RADIUS], self.weight[:, RADIUS:-RADIUS], self.weight[:, -RADIUS:]
        detail = target - target.mean((2, 3), keepdim=True)
        taken_out = before.sum(1, keepdim=True) + after.sum(1, keepdim=True)
        return DETAIL_GAIN * torch.cat([before, detail - taken_out, after], 1)

    def forward(self, window: Tensor) -> Tensor:
        """Convolve a window of levels, [N, 2R+1, H, W]."""
        return F.conv2d(window, self.kernel(), self.bias, self.stride, self.padding)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus its refinement, in the shape of x."""
        refined: Tensor = self.second(activation(self.first(x)))
        return x + refined


class Live(nn.Module):
    """Enhance the middle frame of seven; 15,488 multiply-accumulates a pixel at the default width."""

    radius = RADIUS

    def __init__(self, fine: int = 32, coarse: int = 64, blocks: int = 2) -> None:
        super().__init__()
        self.head = DifferenceConv2d(2 * RADIUS + 1, fine, 2 + 2 * MARGIN, stride=2)
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.body = nn.Sequential(*[ResidualBlock(coarse) for _ in range(blocks)])
        self.up = nn.Conv2d(coarse, 4 * fine, 1)
        self.merge = nn.Conv2d(fine, fine, 3, padding=1)
        self.tail = nn.Conv2d(fine, 4, 3, padding=1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise after He et al., ICCV 2015, with a last layer that starts near the identity."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        for block in self.body:
            block.second.weight.data.mul_(0.1)
        self.tail.weight.data.mul_(0.02)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance the target of a window [N, 7, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        target = window[:, RADIUS : RADIUS + 1].float()
        return target + self.residual(window.to(self.tail.weight.dtype)).float()

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the target, [N, 1, H, W]."""
        height, width = window.shape[-2:]
        head = activation(self.head(extend_edges(LEVELS * window)))
        coarse = self.body(activation(self.down(head)))
        fine = activation(head + F.pixel_shuffle(self.up(coarse), 2))
        fine = activation(self.merge(fine))
        return F.pixel_shuffle(self.tail(fine), 2)[..., :height, :width]


def extend_edges(window: Tensor) -> Tensor:
    """Repeat the border pixels: a margin all around, and to whole cells at the right and the bottom."""
    height, width = window.shape[-2:]
    return F.pad(window, (MARGIN, MARGIN + -width % CELL, MARGIN, MARGIN + -height % CELL), mode="replicate")
