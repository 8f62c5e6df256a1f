"""Planes fused by one deformable convolution whose offsets a U-Net finds from all of them at once.

x -> in_conv -> U-Net -> offsets, mask
 \\------------------------> DCN ------> fused

"Spatio-Temporal Deformable Convolution for Compressed Video Quality Enhancement" (STDF), Deng et al., AAAI 2020.
"""

from torch import Tensor, nn

from cvqe.layers.convolutions import conv_relu
from cvqe.layers.deform_block import deform, offset_mask_conv
from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.fusion_unet import FusionUNet


class DeformFusion(FusionUNet):
    """The fusion U-Net between a first convolution and the deformable one that it steers.

    It is a U-Net with more layers, not around one: so it has the tensor names of the public checkpoints.
    """

    def __init__(self, in_channels: int, channels: int, out_channels: int, kernel_size: int) -> None:
        """Build with fresh weights.

        Args:
            in_channels: planes to fuse; each has offsets of its own.
            channels: of the U-Net.
            out_channels: of the fused features.
            kernel_size: K of the deformable convolution.
        """
        super().__init__(channels)
        self.in_conv = nn.Sequential(*conv_relu(in_channels, channels))
        self.offset_mask = offset_mask_conv(channels, in_channels * kernel_size**2)
        self.deform_conv = DeformConv2d(in_channels, out_channels, kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """Fuse x [N, C_in, H, W] of any size; returns [N, C_out, H, W] after a ReLU."""
        motion = super().forward(self.in_conv(x))
        return deform(x, self.offset_mask(motion), self.deform_conv)
