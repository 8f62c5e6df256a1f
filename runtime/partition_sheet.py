"""What is drawn of a frame: panels side by side, each with a strip below that says what it shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.frame import Frame
from cvqe.partition import Partition
from runtime.partition_drawing import DEFAULT_QP_RANGE, QpRange, Rgb, draw_partition, enlarged, part_of
from runtime.partition_legend import BACKGROUND, caption_strip, legend_strip

FRAME, GRID, GUIDE = "frame", "grid", "guide"
PANELS = (FRAME, GRID, GUIDE)
_AIM_PX, _MOST = 1280, 4  # small pictures are enlarged to about this width, at most so many times
_GAP_PX = 6
_GRAY_LEVELS = 255


@dataclass(frozen=True)
class Sheet:
    """How to draw a frame.

    Attributes:
        panels: some of PANELS, from the left.
        scale: pixels a pixel becomes; None for what suits the picture.
        crop: left, top, width and height of the only part to draw; None for all.
        qp_range: quantisers at the ends of the colours.
    """

    panels: tuple[str, ...] = (GRID,)
    scale: int | None = None
    crop: tuple[int, int, int, int] | None = None
    qp_range: QpRange = DEFAULT_QP_RANGE

    def draw(self, frame: Frame) -> Rgb:
        """Draw one frame: uint8 [height, width, 3], both even, the same for all frames of a clip."""
        panels = [self._panel(name, frame) for name in self.panels]
        gap = np.full((panels[0].shape[0], _GAP_PX, 3), BACKGROUND, np.uint8)
        sheet = np.concatenate([piece for panel in panels for piece in (gap, panel)][1:], axis=1)
        odd = [(0, side % 2) for side in sheet.shape[:2]]  # encoders of video want even sides
        return np.pad(sheet, [*odd, (0, 0)], constant_values=BACKGROUND)

    def _panel(self, name: str, frame: Frame) -> Rgb:
        partition = _fitting(frame)
        rgb = self._cropped(_guide(frame, partition) if name == GUIDE else _rgb(frame))
        scale = self.scale or min(max(_AIM_PX // rgb.shape[1], 1), _MOST)
        title = "guided map" if name == GUIDE else _title(frame, partition)
        if name != GRID:
            return _above(enlarged(rgb, scale), caption_strip(title, rgb.shape[1] * scale))
        legend = legend_strip(title, partition, self.qp_range, rgb.shape[1] * scale)
        if partition is None:
            return _above(enlarged(rgb, scale), legend)
        shown = partition if self.crop is None else part_of(partition, *self.crop)
        return _above(draw_partition(rgb, shown, scale, self.qp_range), legend)

    def _cropped(self, picture: Rgb) -> Rgb:
        # before anything is enlarged: a drawing of all of a large picture takes gigabytes
        if self.crop is None:
            return picture
        left, top, width, height = self.crop
        return picture[top : top + height, left : left + width]


def _rgb(frame: Frame) -> Rgb:
    rgb: NDArray[Any] = frame.picture.reformat(format="rgb24", threads=1).to_ndarray()
    return rgb


def _fitting(frame: Frame) -> Partition | None:
    """Return the partition if it is of this picture's size, whole or in part."""
    partition, picture = frame.partition, frame.picture
    if partition is None or partition.window[2:] != (picture.width, picture.height):
        return None
    return partition


def _title(frame: Frame, partition: Partition | None) -> str:
    if partition is None:
        return f"frame {frame.number}  not read"
    return f"frame {frame.number}  {partition.slice_types}{'' if partition.is_whole else '  in part'}"


def _guide(frame: Frame, partition: Partition | None) -> Rgb:
    """Show the map that a guided network is given, in gray; black where there is none."""
    if partition is None or not partition.is_whole:
        return np.zeros((frame.picture.height, frame.picture.width, 3), np.uint8)
    from runtime.hevc.guided_map import guided_map  # needs numba

    levels = guided_map(frame.luma, partition) * np.float32(_GRAY_LEVELS / frame.peak)
    gray: NDArray[np.uint8] = np.rint(levels).clip(0, _GRAY_LEVELS).astype(np.uint8)
    return np.broadcast_to(gray[..., None], (*gray.shape, 3))


def _above(drawn: Rgb, strip: Rgb) -> Rgb:
    return np.concatenate([drawn, strip])
