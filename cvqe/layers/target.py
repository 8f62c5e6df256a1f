"""The last sum of a residual network: its target, and what the target lacks."""

from torch import Tensor


def onto_target(window: Tensor, residual: Tensor) -> Tensor:
    """Add to the middle frame of a window [N, 2R+1, H, W] what it lacks, [N, 1, H, W].

    Returns:
        float32 [N, 1, H, W] at any precision of the two: a frame of 8 bits has values that half can't tell apart.
    """
    middle = window.shape[1] // 2
    return window[:, middle : middle + 1].float() + residual.float()
