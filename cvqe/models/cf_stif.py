"""CF-STIF: features of seven frames fused coarse to fine, one deformable convolution, a chain of dense blocks.

    window -> 3D convs -> features -> 1/2 -> 1/4 ---> and back up --> offsets, mask
       \\------------------------------------------------------------> DCN 3x3 -> dense blocks -> + target

"Coarse-to-Fine Spatio-Temporal Information Fusion for Compressed Video Quality Enhancement", Luo et al., IEEE Signal
Processing Letters 2022; 2,219,550 parameters. They have the names of the public checkpoints, so those load as they are.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.convolutions import conv
from cvqe.layers.deform_block import deform, offset_mask_conv
from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.edges import pad_edges
from cvqe.layers.target import onto_target

RADIUS = 3
N_FRAMES = 2 * RADIUS + 1
MULTIPLE = 4  # two halvings


class CFSTIF(nn.Module):
    """Enhance the middle frame of seven."""

    radius = RADIUS

    def __init__(self, channels: int = 64, frame_channels: int = 32) -> None:
        """Build with fresh weights.

        Args:
            channels: of all features of the whole window.
            frame_channels: of a frame's features, before they are fused.
        """
        super().__init__()
        self.mlrd = CoarseToFineFusion(channels, frame_channels)
        self.qe = DenseEnhancement(channels)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance the target of a window [N, 7, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the target, [N, 1, H, W], at any size."""
        lacking: Tensor = self.qe(self.mlrd(window.to(self.qe.conv_last.weight.dtype)))
        return lacking


class CoarseToFineFusion(nn.Module):
    """Look for motion at three scales, each refined by the coarser one, and sample all frames where it says."""

    def __init__(self, channels: int, frame_channels: int) -> None:
        super().__init__()
        self.conv_first = nn.Sequential(*conv3d_relu(1, frame_channels), *conv3d_relu(frame_channels, frame_channels))
        self.conv_cat1 = conv(N_FRAMES * frame_channels, channels, 1)
        self.down_conv1, self.down_conv2, self.down_conv3 = (Down(channels) for _ in range(3))
        self.rse1, self.rse2_1, self.rse2_2, self.rse3_1, self.rse3_2 = (Residual(channels) for _ in range(5))
        self.trans_conv3, self.trans_conv2 = deconv(channels), deconv(channels)
        self.up_conv1, self.up_conv2, self.up_conv3 = (Up(channels) for _ in range(3))
        self.conv_add = conv(channels, channels)
        self.offset_mask = offset_mask_conv(channels, N_FRAMES * 9)
        self.deform_conv = DeformConv2d(N_FRAMES, channels, 3)

    def forward(self, window: Tensor) -> Tensor:
        """Fuse a window [N, 7, H, W] into features of its target, [N, C, H, W]."""
        height, width = window.shape[-2:]
        motion = self.refine(pad_edges(self.features(window), MULTIPLE))[..., :height, :width]
        return deform(window, self.offset_mask(motion), self.deform_conv)

    def features(self, window: Tensor) -> Tensor:
        """Return the features of a window's frames as those of one, [N, C, H, W]."""
        of_frames = self.conv_first(window[:, None]).transpose(1, 2).flatten(1, 2)  # [N, 7 * 32, H, W], frame by frame
        return F.relu(self.conv_cat1(of_frames))

    def refine(self, fine: Tensor) -> Tensor:
        """Return what is known of the motion, [N, C, H, W], from features whose sizes are multiples of 4."""
        coarse = self.rse3_1(self.down_conv3(self.down_conv2(fine)))
        middle = self.rse2_1(self.down_conv1(fine) + self.trans_conv3(coarse))
        fine = self.rse1(fine + self.trans_conv2(middle))
        from_coarse = self.up_conv3(F.relu(self.up_conv2(self.rse3_2(coarse))))
        return F.relu(self.conv_add(fine + self.up_conv1(self.rse2_2(middle)) + from_coarse))


class DenseEnhancement(nn.Module):
    """Three dense blocks, the middle one looking at what the first left over, and all their results together."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_first = conv(channels, channels)
        self.DS_net1, self.DS_net2, self.DS_net3 = (DenseBlock(channels) for _ in range(3))
        self.conv_c, self.conv = conv(4 * channels, channels), conv(channels, channels)
        self.conv_last = conv(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn features [N, C, H, W] into what the target lacks, [N, 1, H, W]."""
        first = self.conv_first(x)
        enhanced1 = self.DS_net1(first)
        enhanced2 = first + self.DS_net2(first - enhanced1)
        enhanced3 = self.DS_net3(enhanced2)
        together = self.conv_c(torch.cat([first, enhanced1, enhanced2, enhanced3], 1)) + first
        lacking: Tensor = self.conv_last(F.relu(self.conv(together)))
        return lacking


class DenseBlock(nn.Module):
    """Three 3x3 convolutions in a row, as far as one of 3x3, 5x5 and 7x7, read together with what they began from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv3_1, self.conv5_1, self.conv7_1 = (conv(channels, channels) for _ in range(3))
        self.conv_c = conv(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return features in the shape of x [N, C, H, W]."""
        seen = [x]
        for layer in (self.conv3_1, self.conv5_1, self.conv7_1):
            seen.append(F.relu(layer(seen[-1])))
        merged: Tensor = self.conv_c(torch.cat(seen, 1))
        return merged


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(channels, channels), conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus its refinement, in the shape of x."""
        refined: Tensor = self.conv2(F.relu(self.conv1(x)))
        return x + refined


class Down(nn.Module):
    """Halve both sizes; a ReLU behind each convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.d_conv, self.conv1 = conv(channels, channels, stride=2), conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of half the size of x [N, C, H, W]."""
        return F.relu(self.conv1(F.relu(self.d_conv(x))))


class Up(nn.Module):
    """Double both sizes; no ReLU at the end."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up_conv, self.conv1 = deconv(channels), conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of twice the size of x [N, C, H, W]."""
        doubled: Tensor = self.conv1(F.relu(self.up_conv(x)))
        return doubled


def conv3d_relu(c_in: int, c_out: int) -> tuple[nn.Module, nn.Module]:
    """Return a 3x3x3 convolution over time, height and width, with its ReLU."""
    return nn.Conv3d(c_in, c_out, 3, padding=1), nn.ReLU()


def deconv(channels: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that doubles both sizes."""
    return nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1)
