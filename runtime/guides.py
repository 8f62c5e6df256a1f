"""Each frame's guide: its transform units' means where its partition is at hand, else the stated stand-in."""

import logging

from cvqe.frame import Frame
from cvqe.partition import Partition
from runtime.counted_frames import counted_frames
from runtime.engine import Guide
from runtime.fixed_grid import SIDE_PX, fixed_grid_map

log = logging.getLogger(__name__)


class Guides:
    """Makes the guides of one video for a network that takes them, frame by frame in the order of showing.

    Attributes:
        n_by_units: frames guided by their transform units so far.
        n_by_grid: frames guided by a fixed grid; the first one is logged as a warning.
    """

    def __init__(self, network: str, obstacle: str | None = None) -> None:
        """Begin a video.

        Args:
            network: its name, for the warning.
            obstacle: why no frame has a partition, as `Source.partition_obstacle` says it; None where they are read.
        """
        self.n_by_units = self.n_by_grid = 0
        self._network, self._obstacle = network, obstacle
        self._first_reason = ""

    def of(self, frame: Frame) -> Guide:
        """Return the guide of a frame: float32 [H, W], in levels of its own depth."""
        picture = frame.picture
        reason = self._obstacle or unfit(frame.partition, picture.width, picture.height, frame.partition_obstacle)
        if reason is None:
            assert frame.partition is not None
            from runtime.hevc.guided_map import guided_map  # needs numba, as partitions do

            self.n_by_units += 1
            return guided_map(frame.luma, frame.partition)
        self._note(frame, reason)
        return fixed_grid_map(frame.luma)

    @property
    def found(self) -> str:
        """What guided the network: "guide: transform units of 118 frames, a fixed 16x16 grid for 2 frames (why)"."""
        units = [f"transform units of {counted_frames(self.n_by_units)}"] * bool(self.n_by_units)
        grid = [f"a fixed {SIDE_PX}x{SIDE_PX} grid for {counted_frames(self.n_by_grid)} ({self._first_reason})"]
        return f"guide: {', '.join([*units, *grid * bool(self.n_by_grid)]) or 'none'}"

    @property
    def counts(self) -> dict[str, int]:
        """How many frames were guided by what."""
        return {"transform_units": self.n_by_units, "fixed_grid": self.n_by_grid}

    def _note(self, frame: Frame, reason: str) -> None:
        if not self.n_by_grid:
            self._first_reason = reason
            log.warning(
                "frame %d has no transform units to guide %s by (%s); a fixed %dx%d grid guides it instead, and so "
                "with all such frames: it may gain less",
                frame.number,
                self._network,
                reason,
                SIDE_PX,
                SIDE_PX,
            )
        self.n_by_grid += 1


def unfit(partition: Partition | None, width: int, height: int, obstacle: str | None = None) -> str | None:
    """Say why a partition can't guide a frame of this size, None where it can.

    Args:
        obstacle: why there is no partition, as `Frame.partition_obstacle` says it.
    """
    if partition is None:
        return obstacle or "the picture is damaged, or its partition could not be read"
    if not partition.is_whole:
        return partition.errors[0] if partition.errors else "some of its blocks were not read"
    shown = partition.window
    if (shown.width, shown.height) != (width, height):
        return f"its partition is of {shown.width}x{shown.height} pixels, the frame of {width}x{height}"
    return None
