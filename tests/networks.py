"""Networks with made-up weights, as checkpoints and as exported files."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.motion_compensation import FlowStep
from cvqe.models import create, hidden_channels, takes_guide, takes_qp
from export.exporter import ExportConfig, export

CHANGE_STD = 0.02  # of a comparison network's residual
RESIDUAL_STD = 0.02  # of the last layer's weights: the picture changes by a few levels, as trained networks change it
CONTRAST_STD = 0.03  # the same of mganet's: its pictures are grey ones of some contrast
FLOW_STD = 0.002  # of the layers that draw MFQE's flow: neighbors move by some pixels, and stay in small pictures
OPEN = 2.0  # before the sigmoids of RFDA's attention: six in a row would else leave nothing of what passes
OURS = ("live", "mganet", "tgafnet")  # whose layers are named below
QPS = (32, 37)  # what its checkpoint says it was trained on


def made_up_network(name: str, **options: Any) -> nn.Module:
    """Return a network whose every layer matters: offsets reach some pixels, a QP is heeded, no bias is zero."""
    torch.manual_seed(0)
    network = create(name, **options).eval()
    with torch.no_grad():
        for parameter_name, parameter in network.named_parameters():
            if parameter_name.endswith("bias"):
                nn.init.normal_(parameter, std=0.02)
            if "offset_mask.weight" in parameter_name:
                nn.init.normal_(parameter, std=0.2)
            if parameter_name in ("condition.shift.weight", "condition.strength.weight"):
                nn.init.normal_(parameter, std=0.2)
            if parameter_name in ("tail.weight", "qenet.out_conv.weight"):
                nn.init.normal_(parameter, std=RESIDUAL_STD)
            if name == "mganet" and parameter_name.endswith("weight"):
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")  # its own would leave the frames unheard
            if parameter_name == "output3.0.weight":
                nn.init.normal_(parameter, std=CONTRAST_STD)
            if parameter_name == "output3.0.bias":  # mganet draws pictures, not residuals
                parameter.fill_(0.5)
        if name not in OURS:
            _let_every_layer_matter(network)
    return network


def _let_every_layer_matter(network: nn.Module) -> None:
    """Give every convolution of a comparison network weights that keep the size of what passes, up to its last sum."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d) and not name.endswith("offset_mask"):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if name.endswith(("conv4", "conv_du.2")):
                nn.init.constant_(module.bias, OPEN)
        if isinstance(module, DeformConv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    for module in network.modules():
        if isinstance(module, FlowStep):
            nn.init.normal_(module.layers[-1].weight, std=FLOW_STD)
    _change_little(network)


def _change_little(network: nn.Module) -> None:
    """Scale the last layer so that the picture changes by a few levels."""
    window, *others = example_inputs(network, 32, 32)
    change = picture_of(network(window, *others)) - window[:, int(network.radius), None]
    planes = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    last = [module for module in planes if len(module.weight) == 1][-1]
    for parameter in (last.weight, last.bias):
        parameter.mul_(CHANGE_STD / change.std())


def example_inputs(network: nn.Module, height: int, width: int, n: int = 1) -> tuple[Tensor, ...]:
    """Return what the network is called with.

    That is random windows [N, 2R+1, H, W], QPs [N], guides [N, 1, H, W] and hidden states [N, C, H, W].
    """
    windows = torch.rand(n, 2 * int(network.radius) + 1, height, width)
    qps = [torch.linspace(*map(float, QPS), n)] * takes_qp(network)
    guides = [torch.rand(n, 1, height, width)] * takes_guide(network)
    hidden = [torch.rand(n, hidden_channels(network), height, width)] * bool(hidden_channels(network))
    return (windows, *qps, *guides, *hidden)


def picture_of(output: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """Return the enhanced target of what a network gave, without the hidden state that may come with it."""
    return output[0] if isinstance(output, tuple) else output


def save_checkpoint(network: nn.Module, name: str, path: Path, **options: Any) -> Path:
    """Write a checkpoint as training/train.py does."""
    torch.save({"network": name, "options": options, "qp": list(QPS), "state_dict": network.state_dict()}, path)
    return path


def export_network(name: str, path: Path, precision: str = "fp32", bit_depth: int = 8, **options: Any) -> Path:
    """Export a made-up network to an ONNX file."""
    checkpoint = save_checkpoint(made_up_network(name, **options), name, path.with_suffix(".pt"), **options)
    return export(ExportConfig(checkpoint, None, path, precision, bit_depth)).path
