"""Whole-frame context: one vector, attended over all positions, added to every position."""

from torch import Tensor, nn


class ContextBlock(nn.Module):
    """Global context, Cao et al., GCNet, ICCV workshops 2019, without biases, bottleneck and layer norm.

    It sees the whole frame: a frame cut into tiles gives another result.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_mask = nn.Conv2d(channels, 1, 1, bias=False)
        self.channel_add_conv = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x [N, C, H, W] plus its context; softmax and sum are float32 at any precision of x."""
        # a product and a sum: autocast would run a matmul over a million positions in bfloat16
        attention = self.conv_mask(x).float().flatten(2).softmax(2)  # [N, 1, H*W]
        context = (x.float().flatten(2) * attention).sum(2)[:, :, None, None].to(x.dtype)
        added: Tensor = x + self.channel_add_conv(context)
        return added
