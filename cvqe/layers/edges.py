"""Planes made larger by repeating their last row and column: what strides and pools need at any size of a picture."""

import torch
from torch import Tensor
from torch.nn import functional as F


def pad_edges(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column of x [N, C, H, W] until both sizes are multiples."""
    height, width = x.shape[-2:]
    # not -width % multiple: from this form the exporter can tell that halving and doubling end where they began
    pad_right = (width + multiple - 1) // multiple * multiple - width
    pad_bottom = (height + multiple - 1) // multiple * multiple - height
    return F.pad(x, (0, pad_right, 0, pad_bottom), mode="replicate")


def pad_to_least(x: Tensor, least: int) -> Tensor:
    """Repeat the last row and column of x [N, C, H, W] until neither size is less than `least`; larger ones stay."""
    height, width = x.shape[-2:]
    # a maximum, not a branch: the exported graph holds it, and is the same for every size
    pad_right = torch.sym_max(width, least) - width
    pad_bottom = torch.sym_max(height, least) - height
    return F.pad(x, (0, pad_right, 0, pad_bottom), mode="replicate")
