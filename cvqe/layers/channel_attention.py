"""Residual channel attention: two convolutions whose channels are weighed by their mean over the whole frame."""

from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Multiply every channel by a weight in (0, 1), computed without reduction from all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Weigh x [N, C, H, W]; the means are float32 at any precision of x."""
        mean = x.float().mean((2, 3), keepdim=True).to(x.dtype)
        weighed: Tensor = x * self.conv_du(mean)
        return weighed


class ResidualChannelAttention(nn.Module):
    """The RCAB of Zhang et al., RCAN, ECCV 2018."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            ChannelAttention(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x [N, C, H, W] plus its refinement."""
        refined: Tensor = self.body(x)
        return x + refined
