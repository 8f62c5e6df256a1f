"""DCAD: a plain chain of ten convolutions that draws what a frame lacks.

"A Novel Deep Learning-Based Method of Improving Coding Efficiency from the Decoder-End for HEVC", Wang et al., DCC
2017; 296,641 parameters.
"""

from torch import Tensor, nn

from cvqe.layers.convolutions import plain_chain
from cvqe.layers.target import onto_target


class DCAD(nn.Module):
    """Enhance one frame by itself."""

    radius = 0

    def __init__(self, layers: int = 10, channels: int = 64) -> None:
        super().__init__()
        self.layers = plain_chain(channels, layers)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance a frame [N, 1, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the frame, [N, 1, H, W]."""
        lacking: Tensor = self.layers(window.to(self.layers[0].weight.dtype))
        return lacking
