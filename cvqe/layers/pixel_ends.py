"""The integer ends of an exported graph around a torch network: what `cvqe.pixels` writes as ONNX nodes."""

import torch
from torch import Tensor, nn

from cvqe.models import takes_guide, takes_qp


class PixelEnds(nn.Module):
    """Whole levels in, whole levels out; scaling and rounding are float32 at any precision of the network."""

    def __init__(self, network: nn.Module, bit_depth: int = 8) -> None:
        """Wrap a network; bit_depth is 8 for bytes, 9 to 16 for little-endian byte pairs of that peak."""
        super().__init__()
        self.network, self.has_pairs = network, bit_depth > 8
        self.peak = float(2**bit_depth - 1)

    def forward(self, window: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Enhance the target of a window.

        Args:
            window: uint8 [1, 2R+1, H, W], or [1, 2R+1, H, W, 2] for byte pairs.
            others: what else the network takes: a QP, float32 [1]; then a guide, float32 [1, 1, H, W], in levels; then
                the hidden state of the frame before, float32 [1, C, H, W].

        Returns:
            uint8 [1, 1, H, W] (or [1, 1, H, W, 2]), and the float32 mean of the luma before rounding, which is not
            finite where a pixel isn't; then the hidden state of this frame, where there is one.
        """
        inputs = [self._levels(window) * (1 / self.peak), *others]
        if takes_guide(self.network):
            guide = 1 + takes_qp(self.network)
            inputs[guide] = inputs[guide] * (1 / self.peak)
        enhanced = self.network(*inputs)
        luma, *hidden = enhanced if isinstance(enhanced, tuple) else (enhanced.float(),)
        whole = torch.nan_to_num(luma * self.peak).round().clamp(0, self.peak)
        return self._bytes(whole), luma.mean(), *hidden

    def _levels(self, window: Tensor) -> Tensor:
        if not self.has_pairs:
            return window.float()
        low, high = window.float().unbind(-1)
        return low + 256 * high

    def _bytes(self, whole: Tensor) -> Tensor:
        if not self.has_pairs:
            return whole.to(torch.uint8)
        high = (whole / 256).floor()
        return torch.stack([whole - 256 * high, high], -1).to(torch.uint8)
