"""Running a network over a clip, window by window, with a clock on it."""

import time
from collections.abc import Callable

from cvqe.errors import ModelError
from cvqe.frame import Luma
from runtime.engine import Enhanced
from training.evaluation.cases import Case
from training.evaluation.luma_clip import LumaClip
from training.evaluation.sliding_window import sliding_windows
from training.evaluation.subject import Frames, TimedFrame

Network = Callable[[Luma, float | None], Enhanced]


def enhance_windows(network: Network, case: Case, decoded: LumaClip, radius: int) -> Frames:
    """Yield every frame's enhanced luma and the milliseconds its window took, copies into the network included.

    Args:
        network: called with a window [2R+1, H, W] or [2R+1, H, W, 2] and its target's QP: the frame's own where the
            bitstream tells it, else the case's, else None.

    Raises:
        ModelError: a pixel came out as NaN or infinite.
    """
    for window in sliding_windows(decoded.frames, radius):
        qp = case.qp if window.target.qp is None else window.target.qp
        start = time.perf_counter()
        enhanced = network(window.frames, qp)
        elapsed_ms = 1000 * (time.perf_counter() - start)
        if not enhanced.is_finite:
            raise ModelError(
                f"the network gave NaN or infinite pixels at frame {window.target.number} of {decoded.path}; a network "
                "without them was expected. Try --precision fp32, or leave this network out."
            )
        yield TimedFrame(enhanced.luma, elapsed_ms)
