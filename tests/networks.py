"""Networks with made-up weights, as checkpoints and as exported files."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cvqe.models import create, takes_guide, takes_qp
from export.exporter import ExportConfig, export

RESIDUAL_STD = 0.02  # of the last layer's weights: the picture changes by a few levels, as trained networks change it
CONTRAST_STD = 0.03  # the same of mganet's: its pictures are grey ones of some contrast
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
    return network


def example_inputs(network: nn.Module, height: int, width: int, n: int = 1) -> tuple[Tensor, ...]:
    """Return what the network is called with: random windows [N, 2R+1, H, W], QPs [N] and guides [N, 1, H, W]."""
    windows = torch.rand(n, 2 * int(network.radius) + 1, height, width)
    qps = [torch.linspace(*map(float, QPS), n)] * takes_qp(network)
    guides = [torch.rand(n, 1, height, width)] * takes_guide(network)
    return (windows, *qps, *guides)


def save_checkpoint(network: nn.Module, name: str, path: Path, **options: Any) -> Path:
    """Write a checkpoint as training/train.py does."""
    torch.save({"network": name, "options": options, "qp": list(QPS), "state_dict": network.state_dict()}, path)
    return path


def export_network(name: str, path: Path, precision: str = "fp32", bit_depth: int = 8, **options: Any) -> Path:
    """Export a made-up network to an ONNX file."""
    checkpoint = save_checkpoint(made_up_network(name, **options), name, path.with_suffix(".pt"), **options)
    return export(ExportConfig(checkpoint, None, path, precision, bit_depth)).path
