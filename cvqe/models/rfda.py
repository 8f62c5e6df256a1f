"""RFDA: STDF's fusion, then a second one with what the frame before left behind, and attention to places.

    window -> fusion 3x3 -> aligned -> with hidden: fusion 1x1 -> fuse -> refined -> quality net, DSTA -> + target
                                           ^                                 |
    hidden of the frame before ------------'        hidden of this one <-----'

"Recursive Fusion and Deformable Spatiotemporal Attention for Video Compression Artifact Reduction", Zhao et al., ACM MM
2021; 1,270,430 parameters, under the names of the public checkpoints, so those load as they are.
"""

import torch
from torch import Tensor, nn

from cvqe.layers.attention_block import DeformableAttention
from cvqe.layers.convolutions import conv_relu
from cvqe.layers.deform_fusion import DeformFusion
from cvqe.layers.quality_net import QualityNet
from cvqe.layers.target import onto_target

RADIUS = 3
REFINEMENT = 0.2  # share of what the hidden state adds


class RFDA(nn.Module):
    """Enhance the middle frame of seven, with a hidden state that goes on from frame to frame."""

    radius = RADIUS

    def __init__(self, fused: int = 64, fusion: int = 32, channels: int = 48, hidden: int = 6) -> None:
        """Build with fresh weights.

        Args:
            fused: channels of the aligned features, and of the hidden state.
            fusion: channels of both U-Nets.
            channels: of the quality net.
            hidden: convolutions of the quality net between its first and its last.
        """
        super().__init__()
        self.hidden_channels = fused
        self.ffnet = DeformFusion(2 * RADIUS + 1, fusion, fused, 3)
        self.wpnet = DeformFusion(2 * fused, fusion, fused, 1)
        self.fuse = nn.Sequential(*conv_relu(2 * fused, fused), *conv_relu(fused, fused))
        self.qenet = QualityNet(fused, channels, hidden, DeformableAttention)

    def forward(self, window: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Enhance the target of a window.

        Args:
            window: [N, 7, H, W] in [0, 1], of any size.
            hidden: what this returned for the frame before, float32 [N, C, H, W]; zeros where a scene begins.

        Returns:
            the target, float32 [N, 1, H, W], not clamped; and the hidden state for the next frame, float32.
        """
        dtype = self.qenet.out_conv.weight.dtype
        refined = self.refine(self.ffnet(window.to(dtype)), hidden.to(dtype))
        return onto_target(window, self.qenet(refined)), refined.float()

    def refine(self, aligned: Tensor, hidden: Tensor) -> Tensor:
        """Add to aligned features [N, C, H, W] what the hidden state knows beside them."""
        recalled = self.wpnet(torch.cat([aligned, hidden], 1))
        refined: Tensor = REFINEMENT * self.fuse(torch.cat([aligned, recalled], 1)) + aligned
        return refined
