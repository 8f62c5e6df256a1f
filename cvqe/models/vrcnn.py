"""VRCNN: four layers, the middle two with kernels of two sizes side by side.

"A Convolutional Neural Network Approach for Post-Processing in HEVC Intra Coding", Dai et al., MMM 2017; 54,673
parameters.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.convolutions import conv
from cvqe.layers.target import onto_target


class TwoSizes(nn.Module):
    """Two convolutions of the same features, side by side."""

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """Return both results for x [N, C, H, W], the first one's channels first, after a ReLU."""
        return F.relu(torch.cat([self.first(x), self.second(x)], 1))


class VRCNN(nn.Module):
    """Enhance one frame by itself."""

    radius = 0

    def __init__(self, channels: int = 64) -> None:
        """Build with fresh weights; `channels` are those of the first layer, the others keep their share of them."""
        super().__init__()
        few, many = channels // 4, channels // 2
        both = few + many
        self.layers = nn.Sequential(
            conv(1, channels, 5),
            nn.ReLU(),
            TwoSizes(conv(channels, few, 5), conv(channels, many, 3)),
            TwoSizes(conv(both, many, 1), conv(both, few, 3)),
            conv(both, 1, 3),
        )

    def forward(self, window: Tensor) -> Tensor:
        """Enhance a frame [N, 1, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the frame, [N, 1, H, W]."""
        lacking: Tensor = self.layers(window.to(self.layers[0].weight.dtype))
        return lacking
