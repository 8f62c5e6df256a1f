"""What is drawn of a frame: panels side by side, each with a strip below that says what it shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.frame import Frame
from cvqe.partition import Partition
from runtime.partition_drawing import DEFAULT_QP_RANGE, QpRange, Rgb, draw_partition, enlarged
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
        width = frame.picture.width if self.crop is None else self.crop[2]
        scale = self.scale or min(max(_AIM_PX // width, 1), _MOST)
        partition = _fitting(frame)
        rgb = _rgb(frame)
        if name == GRID:
            drawn = enlarged(rgb, scale) if partition is None else draw_partition(rgb, partition, scale, self.qp_range)
            drawn = self._cropped(drawn, scale)
            return _above(drawn, legend_strip(_title(frame, partition), partition, self.qp_range, drawn.shape[1]))
        drawn = self._cropped(enlarged(rgb if name == FRAME else _guide(frame, partition, rgb), scale), scale)
        return _above(drawn, caption_strip(_title(frame, partition) if name == FRAME else "guided map", drawn.shape[1]))

    def _cropped(self, drawn: Rgb, scale: int) -> Rgb:
        if self.crop is None:
            return drawn
        left, top, width, height = (scale * value for value in self.crop)
        return drawn[top : top + height, left : left + width]


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


def _guide(frame: Frame, partition: Partition | None, rgb: Rgb) -> Rgb:
    """Show the map that a guided network is given, in gray; black where there is none."""
    if partition is None or not partition.is_whole:
        return np.zeros_like(rgb)
    from runtime.hevc.guided_map import guided_map  # needs numba

    levels = guided_map(frame.luma, partition) * np.float32(_GRAY_LEVELS / frame.peak)
    gray: NDArray[np.uint8] = np.rint(levels).clip(0, _GRAY_LEVELS).astype(np.uint8)
    return gray[..., None].repeat(3, 2)


def _above(drawn: Rgb, strip: Rgb) -> Rgb:
    return np.concatenate([drawn, strip])
