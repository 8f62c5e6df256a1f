"""DSTA: where in the frame, and in which channels, what is left of the artefacts is strong.

    x -> 1x1 -> 3x3 s2 -> pooled 7x7 -> 3x3s -> offsets -> DCN -> mean -> weight of each channel --\\
           \\-> 1x1 -----------------------------------------\\-> + -> weight of each place ----------> x * both

Deformable spatio-temporal attention of RFDA, Zhao et al., ACM MM 2021, section 3.3.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.convolutions import conv, conv_relu
from cvqe.layers.deform_block import deform, offset_mask_conv
from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.edges import pad_to_least

SHRINK = 4  # channels are so many times fewer inside
POOL, POOL_STRIDE = 7, 3
LEAST_PX = 15  # below, the pool would have no place left


class DeformableAttention(nn.Module):
    """Weigh every place and every channel of features, by what a deformable convolution sees from afar."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = channels // SHRINK
        self.conv1, self.conv_f = conv(channels, inside, 1), conv(inside, inside, 1)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride=2)
        self.conv_max, self.conv3, self.conv3_ = (conv(inside, inside) for _ in range(3))
        self.mask = offset_mask_conv(inside, inside * 9)
        self.down_conv2 = nn.Sequential(*conv_relu(inside, inside, stride=2))
        self.mask2 = offset_mask_conv(inside, inside * 9)
        self.dcn = DeformConv2d(inside, inside, 3)
        self.conv_du = nn.Sequential(*conv_relu(inside, 2 * inside, 1), conv(2 * inside, channels, 1), nn.Sigmoid())
        self.conv4 = conv(inside, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh x [N, C, H, W]; below 15 px its edges are repeated first, the mean over places is float32."""
        inside = self.conv1(x)
        seen = self.look(inside)
        mean = seen.float().mean((2, 3), keepdim=True).to(x.dtype)
        of_place = self.conv4(enlarged(seen, x) + self.conv_f(inside)).sigmoid()
        weighed: Tensor = x * of_place * self.conv_du(mean)
        return weighed

    def look(self, inside: Tensor) -> Tensor:
        """Return what is seen from afar: features [N, C/4, h, w] of about a sixth of the size."""
        pooled = F.max_pool2d(self.conv2(pad_to_least(inside, LEAST_PX)), POOL, POOL_STRIDE)
        motion = pooled
        for layer in (self.conv_max, self.conv3, self.conv3_):
            motion = F.relu(layer(motion))
        far = self.mask2(self.down_conv2(motion))
        return deform(pooled, self.mask(motion) + enlarged(far, motion), self.dcn)


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Return x [N, C, h, w] as large as `like`, bilinearly."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
