"""A state dict read as its paper reads it, layer by layer, sharing no code with the networks."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.cvqe.models.test_tgafnet import slow_deform_conv


class Reading:
    """The layers of a state dict, in double precision, by name."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = {name: tensor.double() for name, tensor in network.state_dict().items()}

    def conv(self, name: str, x: Tensor, stride: int = 1, padding: int | None = None) -> Tensor:
        """Convolve, by default padded by half the kernel."""
        weight, bias = self.weights[name + ".weight"], self.weights[name + ".bias"]
        return F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2 if padding is None else padding)

    def relu_conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """Convolve and rectify."""
        return F.relu(self.conv(name, x, stride))

    def deconv(self, name: str, x: Tensor) -> Tensor:
        """Double both sizes."""
        return F.conv_transpose2d(x, self.weights[name + ".weight"], self.weights[name + ".bias"], stride=2, padding=1)

    def deform(self, name: str, x: Tensor, packed: Tensor) -> Tensor:
        """Sample x, its offsets before its mask in one tensor, and rectify."""
        n_offset = packed.shape[1] // 3 * 2
        offset, mask = packed[:, :n_offset], packed[:, n_offset:].sigmoid()
        weight, bias = self.weights[name + ".weight"], self.weights[name + ".bias"]
        return F.relu(slow_deform_conv(x, offset, mask, weight, bias))

    def fusion(self, name: str, x: Tensor) -> Tensor:
        """Fuse planes as STDF does; sizes are padded to multiples of 8 for its U-Net."""
        height, width = x.shape[-2:]
        y = self.relu_conv(f"{name}.in_conv.0", x)
        y = F.pad(y, (0, -width % 8, 0, -height % 8), mode="replicate")
        half = self.relu_conv(f"{name}.dn_conv1.2", self.relu_conv(f"{name}.dn_conv1.0", y, 2))
        quarter = self.relu_conv(f"{name}.dn_conv2.2", self.relu_conv(f"{name}.dn_conv2.0", half, 2))
        y = self.relu_conv(f"{name}.tr_conv.2", self.relu_conv(f"{name}.tr_conv.0", quarter, 2))
        y = F.relu(self.deconv(f"{name}.tr_conv.4", y))
        for level, skip in (("up_conv2", quarter), ("up_conv1", half)):
            y = self.relu_conv(f"{name}.{level}.0", torch.cat((y, skip), 1))
            y = F.relu(self.deconv(f"{name}.{level}.2", y))
        motion = self.relu_conv(f"{name}.out_conv.0", y)[..., :height, :width]
        return self.deform(f"{name}.deform_conv", x, self.conv(f"{name}.offset_mask", motion))
