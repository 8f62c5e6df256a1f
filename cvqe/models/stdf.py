"""STDF: a window aligned and fused by one deformable convolution, then a plain chain of convolutions.

    window -> in_conv -> U-Net -> offsets, mask
       \\------------------------> DCN 3x3 -> quality net -> + target

"Spatio-Temporal Deformable Convolution for Compressed Video Quality Enhancement", Deng et al., AAAI 2020.
Parameters carry the names of the public checkpoints, so those load as they are.
"""

from torch import Tensor, nn

from cvqe.layers.deform_fusion import DeformFusion
from cvqe.layers.quality_net import QualityNet
from cvqe.layers.target import onto_target

KERNEL_SIZE = 3


class STDF(nn.Module):
    """Enhance the middle frame of 2R+1; as published, R3 has 364,510 parameters."""

    def __init__(self, radius: int = 3, fusion: int = 32, channels: int = 48, hidden: int = 6, fused: int = 64) -> None:
        """Build with fresh weights.

        Args:
            radius: frames on either side of the target.
            fusion: channels of the U-Net.
            channels: of the quality net.
            hidden: convolutions of the quality net between its first and its last.
            fused: channels of the aligned features.
        """
        super().__init__()
        self.radius = radius
        self.ffnet = DeformFusion(2 * radius + 1, fusion, fused, KERNEL_SIZE)
        self.qenet = QualityNet(fused, channels, hidden)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance the target of a window [N, 2R+1, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the target, [N, 1, H, W], at any size."""
        lacking: Tensor = self.qenet(self.ffnet(window.to(self.qenet.out_conv.weight.dtype)))
        return lacking


def stdf_r1(**options: int) -> STDF:
    """Return R1: three frames, 329,842 parameters."""
    return STDF(**{"radius": 1, **options})


def stdf_r3(**options: int) -> STDF:
    """Return R3: seven frames, 364,510 parameters."""
    return STDF(**options)


def stdf_r3l(**options: int) -> STDF:
    """Return R3L: seven frames, 64 channels everywhere and sixteen convolutions at the end, 1,274,622 parameters."""
    return STDF(**{"fusion": 64, "channels": 64, "hidden": 14, **options})
