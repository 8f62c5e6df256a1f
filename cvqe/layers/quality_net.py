"""A chain of convolutions from features to what a target lacks, as STDF and RFDA end."""

from collections.abc import Callable
from itertools import chain

from torch import Tensor, nn

from cvqe.layers.convolutions import conv, conv_relu


class QualityNet(nn.Module):
    """3x3 convolutions, a ReLU behind each but the last; behind every hidden one there may be attention."""

    def __init__(
        self, in_channels: int, channels: int, hidden: int, attention: Callable[[int], nn.Module] | None = None
    ) -> None:
        """Build with fresh weights.

        Args:
            in_channels: of the features.
            channels: of all layers between.
            hidden: convolutions between the first and the last.
            attention: makes what stands behind every hidden convolution, from its channels.
        """
        super().__init__()
        self.in_conv = nn.Sequential(*conv_relu(in_channels, channels))
        blocks = [
            (*conv_relu(channels, channels), *([attention(channels)] if attention else [])) for _ in range(hidden)
        ]
        self.hid_conv = nn.Sequential(*chain.from_iterable(blocks))
        self.out_conv = conv(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn features [N, C, H, W] into what the target lacks, [N, 1, H, W]."""
        lacking: Tensor = self.out_conv(self.hid_conv(self.in_conv(x)))
        return lacking
