"""TGAFNet: three groups of frames, aligned near to far, fused, and enhanced with whole-frame context.

    window -> (2,3,4) -> U-Net -> offsets -> DCN 1x1 --\\
           -> (1,3,5) -> U-Net -> offsets -> DCN 3x3 ---> fuse pairs -> attention -> inter DCN -> enhance -> + target
           -> (0,3,6) -> U-Net -> offsets -> DCN 5x5 --/

Equation numbers are those of "Compressed Video Quality Enhancement with Temporal Group Alignment and Fusion".
Parameters carry the names of the public checkpoints, so those load as they are.
"""

from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.channel_attention import ResidualChannelAttention
from cvqe.layers.context_block import ContextBlock
from cvqe.layers.deform_block import DeformBlock, deform, offset_mask_conv
from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.fusion_unet import FusionUNet

RADIUS = 3
DISTANCES = (1, 2, 3)  # a group is the target and its two neighbors at one of these, near to far
GROUP_FRAMES = 3
SLOPE = 0.1
CONTEXT_SLOPE = 0.2


class Sight(NamedTuple):
    """What the network returns and where it looked, for the losses of a training."""

    enhanced: Tensor  # [N, 1, H, W] in [0, 1], not clamped
    offset_masks: list[Tensor]  # [N, 9*K*K, H, W]: offsets of frame 0, 1, 2 as (dy, dx) for each tap, then the logits


class TGAFNet(nn.Module):
    """Enhance the middle frame of seven; as published, L = 3 blocks, 64 channels and 1,403,228 parameters."""

    radius = RADIUS

    def __init__(self, blocks: int = 3, channels: int = 64) -> None:
        super().__init__()
        self.inputconv = conv_leaky(GROUP_FRAMES, channels)
        self.Unet = FusionUNet(channels)
        self.deform_block_1 = DeformBlock(channels, GROUP_FRAMES, channels, 1)
        self.deform_block_3 = DeformBlock(channels, GROUP_FRAMES, channels, 3)
        self.deform_block_5 = DeformBlock(channels, GROUP_FRAMES, channels, 5)
        self.RCAB = ResidualChannelAttention(channels)
        self.fuse = conv_leaky(2 * channels, channels)
        self.wpnet = InterGroupAlignment(channels)
        self.qenet = FeatureEnhancement(channels, blocks)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance the target of a window [N, 7, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        target = window[:, RADIUS : RADIUS + 1].float()
        return target + self.residual(window.to(self.fuse[0].weight.dtype)).float()

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the target, [N, 1, H, W], at any size from 2x2."""
        groups = frame_groups(window)
        return self.enhance(self.align(groups, self.search(groups)))

    def sight(self, window: Tensor) -> Sight:
        """Enhance, and tell where each group was sampled: what a training supervises besides the picture."""
        groups = frame_groups(window)
        offset_masks = self.search(groups)
        residual = self.enhance(self.align(groups, offset_masks))
        return Sight(window[:, RADIUS : RADIUS + 1].float() + residual.float(), offset_masks)

    def search(self, groups: list[Tensor]) -> list[Tensor]:
        """Return each group's offsets and mask logits, [N, 9*K*K, H, W] for K = 1, 3, 5: eq. (5)."""
        # the groups share the U-Net's weights: as one batch it is one third of the layers to launch
        features = self.Unet(self.inputconv(torch.cat(groups))).chunk(len(DISTANCES))
        return [block.offset_mask(motion) for block, motion in zip(self.deform_blocks(), features, strict=True)]

    def align(self, groups: list[Tensor], offset_masks: list[Tensor]) -> list[Tensor]:
        """Return each group's features, aligned to the target, near to far: eq. (6)."""
        parts = zip(groups, offset_masks, self.deform_blocks(), strict=True)
        return [deform(frames, offset_mask, block.deform_conv) for frames, offset_mask, block in parts]

    def enhance(self, aligned: list[Tensor]) -> Tensor:
        """Fuse the groups' features and return what the target lacks: eq. (7) to (10), then (3)."""
        near, middle, far = aligned
        fused = self.fuse_pair(self.fuse_pair(near, middle), self.fuse_pair(middle, far))
        enhanced: Tensor = self.qenet(self.wpnet(self.RCAB(fused)))
        return enhanced

    def deform_blocks(self) -> tuple[DeformBlock, ...]:
        """Return the groups' blocks, near to far."""
        return self.deform_block_1, self.deform_block_3, self.deform_block_5

    def fuse_pair(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two groups' features [N, C, H, W] into one; the same weights at all three places."""
        fused: Tensor = self.fuse(torch.cat((a, b), 1))
        return fused


def frame_groups(window: Tensor) -> list[Tensor]:
    """Return the target with its two neighbors at each distance, near to far, [N, 3, H, W] each."""
    # one strided slice each, which every backend has; a list of places would be exported as gathers
    return [window[:, RADIUS - d : RADIUS + d + 1 : d] for d in DISTANCES]


class InterGroupAlignment(nn.Module):
    """A 1x1 deformable convolution, behind a plain one that the paper does not print: eq. (10)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_conv = conv_leaky(channels, channels)
        self.offset_mask = offset_mask_conv(channels, channels)
        self.deform_conv = DeformConv2d(channels, channels, 1)

    def forward(self, fused: Tensor) -> Tensor:
        """Align the fused features [N, C, H, W] with themselves, each channel by its own offsets."""
        features = self.in_conv(fused)
        return deform(features, self.offset_mask(features), self.deform_conv)


class FeatureEnhancement(nn.Module):
    """Convolutions and dual context blocks by turns, down to one channel: eq. (3)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.in_conv = nn.Sequential(*conv_leaky(channels, channels), *conv_leaky(channels, channels))
        hidden = [(*conv_leaky(channels, channels), DualContextBlock(channels)) for _ in range(blocks)]
        self.hid_conv = nn.Sequential(*chain.from_iterable(hidden))
        self.out_conv = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn features [N, C, H, W] into what the target lacks, [N, 1, H, W]."""
        lacking: Tensor = self.out_conv(self.hid_conv(self.in_conv(x)))
        return lacking


class DualContextBlock(nn.Module):
    """SDCB: one context block, used twice, between the two halves of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gcnet = ContextBlock(channels // 2)
        self.tail = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix x [N, C, H, W] with its whole-frame context; no residual around it."""
        first, second = x.chunk(2, 1)
        c_f = F.leaky_relu(self.gcnet(first), CONTEXT_SLOPE) + second
        c_f_again = F.leaky_relu(self.gcnet(c_f), CONTEXT_SLOPE) + c_f
        mixed: Tensor = self.tail(torch.cat((c_f, c_f_again), 1))
        return mixed


def conv_leaky(c_in: int, c_out: int) -> nn.Sequential:
    """Return a 3x3 convolution with its LeakyReLU."""
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.LeakyReLU(SLOPE))
