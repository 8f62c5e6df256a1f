"""DnCNN: a plain chain of convolutions that draws the noise, which is subtracted.

"Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", Zhang et al., IEEE TIP 2017, with its
batch norms merged into the convolutions; 20 layers, as in the blind networks, 665,921 parameters (17: 555,137).
"""

from torch import Tensor, nn

from cvqe.layers.convolutions import plain_chain
from cvqe.layers.target import onto_target


class DnCNN(nn.Module):
    """Enhance one frame by itself."""

    radius = 0

    def __init__(self, layers: int = 20, channels: int = 64) -> None:
        super().__init__()
        self.layers = plain_chain(channels, layers)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise after He et al., ICCV 2015, as the paper does; biases start at 0."""
        for layer in self.layers[::2]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance a frame [N, 1, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped."""
        return onto_target(window, self.residual(window))

    def residual(self, window: Tensor) -> Tensor:
        """Return what is to be added to the frame, [N, 1, H, W]: the noise that the layers draw, negated."""
        noise: Tensor = self.layers(window.to(self.layers[0].weight.dtype))
        return -noise
