"""Running a network over a clip, window by window, with a clock on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cvqe.errors import ModelError
from cvqe.frame import Luma
from cvqe.neighbors import ADJACENT
from runtime.engine import Enhanced, Guide
from runtime.guides import Guides
from training.evaluation.cases import Case
from training.evaluation.luma_clip import LumaClip
from training.evaluation.sliding_window import sliding_windows
from training.evaluation.subject import Frames, TimedFrame

UNITS, GRID = GUIDES = ("units", "grid")  # what guides a network that takes a guided map
Network = Callable[[Luma, float | None, Guide | None], Enhanced]


@dataclass(frozen=True)
class Wanted:
    """What a network is given of a video.

    Attributes:
        guide: one of GUIDES, None for a network that takes no guided map.
    """

    name: str
    radius: int
    neighbors: str = ADJACENT
    guide: str | None = None


def enhance_windows(network: Network, case: Case, decoded: LumaClip, wanted: Wanted) -> Frames:
    """Yield every frame's enhanced luma and the milliseconds its window took, copies into the network included.

    Args:
        network: called with a window [2R+1, H, W] or [2R+1, H, W, 2], its target's QP (the frame's own where the
            bitstream tells it, else the case's, else None), and its guided map if it wants one.

    Raises:
        ModelError: a pixel came out as NaN or infinite.
    """
    guides = _guides(wanted, decoded)
    for window in sliding_windows(decoded.frames, wanted.radius, wanted.neighbors):
        qp = case.qp if window.target.qp is None else window.target.qp
        guide = guides.of(window.target) if guides else None
        start = time.perf_counter()
        enhanced = network(window.frames, qp, guide)
        elapsed_ms = 1000 * (time.perf_counter() - start)
        if not enhanced.is_finite:
            raise ModelError(
                f"the network gave NaN or infinite pixels at frame {window.target.number} of {decoded.path}; a network "
                "without them was expected. Try --precision fp32, or leave this network out."
            )
        yield TimedFrame(enhanced.luma, elapsed_ms)


def guide_settings(takes_guide: bool, guide: str) -> str:
    """Return what tells two measurements of one guided network apart; nothing where it is the usual one."""
    return "guided by a fixed grid" if takes_guide and guide == GRID else ""


def _guides(wanted: Wanted, decoded: LumaClip) -> Guides | None:
    if wanted.guide is None:
        return None
    return Guides(wanted.name, "a fixed grid was asked for" if wanted.guide == GRID else decoded.partition_obstacle)
