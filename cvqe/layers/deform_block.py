"""A deformable convolution that finds its own offsets and mask from features."""

from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.deform_conv import DeformConv2d, packed_deform_conv2d


class DeformBlock(nn.Module):
    """Sample x with one K x K deformable convolution; every channel of x has offsets of its own (groups = C_in)."""

    def __init__(self, features: int, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.offset_mask = offset_mask_conv(features, in_channels * kernel_size**2)
        self.deform_conv = DeformConv2d(in_channels, out_channels, kernel_size)

    def forward(self, features: Tensor, x: Tensor) -> Tensor:
        """Sample x [N, C_in, H, W] where features [N, F, H, W] say; returns [N, C_out, H, W] after a ReLU."""
        return deform(x, self.offset_mask(features), self.deform_conv)


def offset_mask_conv(features: int, n_mask: int) -> nn.Conv2d:
    """Return the convolution that predicts both: 2 * n_mask channels of offsets, then n_mask of mask, G*K*K each."""
    predict = nn.Conv2d(features, 3 * n_mask, 3, padding=1)
    # training starts on the regular grid with every mask at 1/2: DCNv2, section 3.2
    nn.init.zeros_(predict.weight)
    nn.init.zeros_(predict.bias)
    return predict


def deform(x: Tensor, offset_mask: Tensor, deform_conv: DeformConv2d) -> Tensor:
    """Convolve x where offset_mask [N, 3*G*K*K, H, W] says, its mask before the sigmoid; a ReLU follows."""
    return F.relu(packed_deform_conv2d(x, offset_mask, deform_conv.weight, deform_conv.bias))
