"""MFQE 1.0: two neighbors of high quality moved onto the target, and a small network that reads all three.

    before -> moved \\-> 9x9 -> 7x7 with the target -> 3x3 \\
    target ----------> 9x9                                   -> 1x1 -> 5x5 -> + target
    after --> moved /-> 9x9 -> 7x7 with the target -> 3x3 /

"Multi-Frame Quality Enhancement for Compressed Video", Yang et al., CVPR 2018; 1,787,547 parameters with its motion
compensation. Its neighbors are the nearest frames of peak quality before and after the target.
"""

import torch
from torch import Tensor, nn

from cvqe.layers.convolutions import conv
from cvqe.layers.motion_compensation import CHANNELS, MotionCompensation
from cvqe.layers.target import onto_target


class MFQE(nn.Module):
    """Enhance the middle frame of three."""

    radius = 1

    def __init__(self, channels: int = 128, motion: int = CHANNELS) -> None:
        """Build with fresh weights.

        Args:
            channels: of each frame's features; the layers behind keep their share of them.
            motion: channels of the motion compensation.
        """
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.motion = MotionCompensation(motion)
        self.heads = nn.ModuleList([nn.Sequential(*conv_prelu(1, channels, 9)) for _ in range(3)])
        self.pairs = nn.ModuleList(
            [nn.Sequential(*conv_prelu(2 * channels, half, 7), *conv_prelu(half, half, 3)) for _ in range(2)]
        )
        self.tail = nn.Sequential(*conv_prelu(2 * half, quarter, 1), conv(quarter, 1, 5))

    def forward(self, window: Tensor) -> Tensor:
        """Enhance the target of a window [N, 3, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the target, [N, 1, H, W], at any size."""
        before, target, after = window.to(self.tail[-1].weight.dtype).split(1, 1)
        frames = self.motion(target, before), target, self.motion(target, after)
        before, target, after = (head(frame) for head, frame in zip(self.heads, frames, strict=True))
        couples = torch.cat([before, target], 1), torch.cat([target, after], 1)
        seen = [pair(couple) for pair, couple in zip(self.pairs, couples, strict=True)]
        lacking: Tensor = self.tail(torch.cat(seen, 1))
        return lacking


def conv_prelu(c_in: int, c_out: int, kernel_size: int) -> tuple[nn.Module, nn.Module]:
    """Return a convolution with its PReLU, one slope a channel."""
    return conv(c_in, c_out, kernel_size), nn.PReLU(c_out)
