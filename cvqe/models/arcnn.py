"""AR-CNN: four layers that extract features, clean them, map them and reconstruct a frame's artefacts.

"Compression Artifacts Reduction by a Deep Convolutional Network", Dong et al., ICCV 2015; 106,561 parameters. The paper
reconstructs the picture; here, as in the comparisons of later papers, the layers' output is added to the frame.
"""

from torch import Tensor, nn

from cvqe.layers.convolutions import conv, conv_relu
from cvqe.layers.target import onto_target

INITIAL_STD = 0.001  # section 3.2 of the paper


class ARCNN(nn.Module):
    """Enhance one frame by itself."""

    radius = 0

    def __init__(self, channels: int = 64) -> None:
        """Build with fresh weights; `channels` are those of the first layer, and halved by each of the next two."""
        super().__init__()
        mapped = channels // 4
        self.layers = nn.Sequential(
            *conv_relu(1, channels, 9),
            *conv_relu(channels, channels // 2, 7),
            *conv_relu(channels // 2, mapped, 1),
            conv(mapped, 1, 5),
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights as the paper does; biases start at 0."""
        for layer in self.layers[::2]:
            nn.init.normal_(layer.weight, std=INITIAL_STD)
            nn.init.zeros_(layer.bias)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance a frame [N, 1, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the frame, [N, 1, H, W]."""
        lacking: Tensor = self.layers(window.to(self.layers[0].weight.dtype))
        return lacking
