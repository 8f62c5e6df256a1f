"""The fusion U-Net that STDF, RFDA and TGAFNet look for motion with.

x -> dn_conv1 -> dn_conv2 -> tr_conv -> up_conv2 -> up_conv1 -> out_conv -> as large as x
        |           \\_________________/           /
         \\_______________________________________/
"""

import torch
from torch import Tensor, nn

from cvqe.layers.convolutions import conv_relu
from cvqe.layers.edges import pad_edges

MULTIPLE = 8  # three halvings


class FusionUNet(nn.Module):
    """Three scales below the input's, each convolution followed by a ReLU; any height and width.

    The convolution that brings a window's frames to `channels` stands before it, under each network's own name.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dn_conv1 = nn.Sequential(*down(channels))
        self.up_conv1 = nn.Sequential(*conv_relu(2 * channels, channels), *up(channels))
        self.dn_conv2 = nn.Sequential(*down(channels))
        self.up_conv2 = nn.Sequential(*conv_relu(2 * channels, channels), *up(channels))
        self.tr_conv = nn.Sequential(*down(channels), *up(channels))
        self.out_conv = nn.Sequential(*conv_relu(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Fuse x [N, C, H, W], edge-padded to multiples of 8; the result is cropped to [N, C, H, W] again."""
        height, width = x.shape[-2:]
        half = self.dn_conv1(pad_edges(x, MULTIPLE))
        quarter = self.dn_conv2(half)
        x = self.up_conv2(torch.cat((self.tr_conv(quarter), quarter), 1))
        x = self.up_conv1(torch.cat((x, half), 1))
        cropped: Tensor = self.out_conv(x)[..., :height, :width]
        return cropped


def down(channels: int) -> tuple[nn.Module, ...]:
    """Return what halves both sizes."""
    return *conv_relu(channels, channels, stride=2), *conv_relu(channels, channels)


def up(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return what doubles both sizes."""
    return nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1), nn.ReLU()
