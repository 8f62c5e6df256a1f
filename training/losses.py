"""What a picture's error costs; each takes enhanced and pristine luma [N, 1, P, P] in [0, 1]."""

from collections.abc import Callable

import torch
from torch import Tensor

PEAK = 255.0
CHARBONNIER_EPSILON = 1e-3  # Lai et al., TPAMI 2019: rounds the tip of the L1 loss
LOG_MSE_FLOOR = 1e-6  # 60 dB: a patch that is coded almost without loss

PictureLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


def frame_relative(enhanced: Tensor, pristine: Tensor, frame_mse: Tensor) -> Tensor:
    """Return the squared error over that of the whole decoded frame, the mean over patches: 1 changes nothing.

    It is the slope of what the field's tables count, the mean over frames of each frame's PSNR: frames weigh alike at
    every QP, and the patches of one frame by their error. frame_mse: [N], in squared 8-bit levels.
    """
    mse = ((enhanced - pristine) ** 2).mean((1, 2, 3))
    return (mse * PEAK**2 / frame_mse).mean()


def charbonnier(enhanced: Tensor, pristine: Tensor, frame_mse: Tensor | None = None) -> Tensor:
    """Return mean sqrt(d^2 + eps^2) (Lai et al., TPAMI 2019, eq. 3): what TGAFNet was published with."""
    return torch.sqrt((enhanced - pristine) ** 2 + CHARBONNIER_EPSILON**2).mean()


def log_mse(enhanced: Tensor, pristine: Tensor, frame_mse: Tensor | None = None) -> Tensor:
    """Return the mean over patches of log10 of their squared error: every patch weighs alike, in tens of dB."""
    return torch.log10(((enhanced - pristine) ** 2).mean((1, 2, 3)) + LOG_MSE_FLOOR).mean()


def mse(enhanced: Tensor, pristine: Tensor, frame_mse: Tensor | None = None) -> Tensor:
    """Return the mean squared error: what MGANet was published with."""
    return ((enhanced - pristine) ** 2).mean()


PICTURE_LOSSES: dict[str, PictureLoss] = {
    "frame-relative": frame_relative,
    "charbonnier": charbonnier,
    "log-mse": log_mse,
    "mse": mse,
}
