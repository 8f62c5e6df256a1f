"""Before and after in one picture: the decoded left half beside the enhanced right half."""

import numpy as np

from cvqe.frame import Luma

LINE_PX = 2  # where they meet


def before_and_after(before: Luma, after: Luma, peak: int) -> Luma:
    """Return a new luma plane, decoded on the left of a white line and enhanced on its right.

    Args:
        before, after: of one shape, [H, W], or [H, W, 2] little-endian byte pairs.
        peak: largest sample; its bytes draw the line.
    """
    width = after.shape[1]
    middle = width // 2
    both = after.copy()
    both[:, :middle] = before[:, :middle]
    if width > 2 * LINE_PX:
        white = peak if after.ndim == 2 else np.frombuffer(np.array(peak, "<u2").tobytes(), np.uint8)
        both[:, middle - LINE_PX // 2 : middle + LINE_PX // 2] = white
    return both
