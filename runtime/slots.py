"""Where the frames of a ring live: the layout of its places, and those in the host's memory."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
WindowT_co = TypeVar("WindowT_co", covariant=True)


@dataclass(frozen=True)
class RingLayout:
    """How many places a ring has.

        places    0 1 2 ... N-1 | copies of 0 .. 2R-1         N = 2R + 1 + ahead slots

    Attributes:
        radius: R, frames on either side of the target.
        ahead: frames written before they are needed; windows that may be out at a time are ahead + 1.
    """

    radius: int
    ahead: int

    def __post_init__(self) -> None:
        if self.radius < 0 or self.ahead < 1:
            raise ValueError(f"radius {self.radius} and ahead {self.ahead}: at least 0 and 1 are needed")

    @property
    def n_window(self) -> int:
        """Frames in a window."""
        return 2 * self.radius + 1

    @property
    def n_slots(self) -> int:
        """Frames in the ring; so many windows there are to start in, too."""
        return self.n_window + self.ahead

    @property
    def n_places(self) -> int:
        """Slots, and the copies that keep every window in one piece."""
        return self.n_slots + 2 * self.radius

    @property
    def n_out(self) -> int:
        """Windows that can be handed out and not released at the same time."""
        return self.ahead + 1


class Slots(Protocol[WindowT_co]):
    """The places of a ring. One thread writes and copies, another asks for windows."""

    layout: RingLayout

    def write(self, place: int, luma: Luma) -> None:
        """Put a frame, [H, W] or [H, W, 2] uint8 of any strides, in a place; `luma` may change once this returns."""

    def copy(self, source: int, target: int) -> None:
        """Put the frame of one place in another."""

    def window(self, start: int) -> WindowT_co:
        """Return the 2R+1 places from `start` on, as the engine takes them; what was written before is seen there."""

    def close(self) -> None:
        """Give the memory back; no window is used any more."""


class HostSlots:
    """Places in one array; a window is a view of [2R+1, H, W], or [2R+1, H, W, 2] for byte pairs."""

    def __init__(self, layout: RingLayout, frame_shape: tuple[int, ...]) -> None:
        self.layout = layout
        self._places: Luma = np.empty((layout.n_places, *frame_shape), np.uint8)

    def write(self, place: int, luma: Luma) -> None:
        """See `Slots`."""
        self._places[place] = luma

    def copy(self, source: int, target: int) -> None:
        """See `Slots`."""
        self._places[target] = self._places[source]

    def window(self, start: int) -> Luma:
        """See `Slots`."""
        return self._places[start : start + self.layout.n_window]

    def close(self) -> None:
        """Do nothing: the array goes with its last view."""
