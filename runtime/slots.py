"""Where the frames of a ring live: the layout of its places, and those in the host's memory."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from cvqe.neighbors import ADJACENT, Distances, offsets, patterns, reach

Luma = NDArray[np.uint8]
NEXT: Distances = (1, 1)
WindowT_co = TypeVar("WindowT_co", covariant=True)


@dataclass(frozen=True)
class RingLayout:
    """How many places a ring has, and which of them make a window.

        places    0 1 2 ... N-1 | copies of 0 .. 2S-1         N = 2S + 1 + ahead slots
        window    R = 1, S = 2, from place 0:    . 1 2 3 .    distances 1, 1
                                                 0 . 2 . 4    distances 2, 2

    Attributes:
        radius: R, frames on either side of the target that the network sees.
        ahead: frames written before they are needed; windows that may be out at a time are ahead + 1.
        neighbors: which frames those are, one of cvqe.neighbors.NEIGHBORS.
    """

    radius: int
    ahead: int
    neighbors: str = ADJACENT

    def __post_init__(self) -> None:
        if self.radius < 0 or self.ahead < 1:
            raise ValueError(f"radius {self.radius} and ahead {self.ahead}: at least 0 and 1 are needed")

    @property
    def n_window(self) -> int:
        """Frames in a window."""
        return 2 * self.radius + 1

    @property
    def reach(self) -> int:
        """S, frames on either side of the target that are held; R where the neighbors are adjacent."""
        return reach(self.neighbors, self.radius)

    @property
    def patterns(self) -> tuple[Distances, ...]:
        """Every pair of distances between the frames of a window; nothing where there are too many."""
        return patterns(self.neighbors)

    @property
    def n_slots(self) -> int:
        """Frames in the ring; so many windows there are to start in, too."""
        return 2 * self.reach + 1 + self.ahead

    @property
    def n_places(self) -> int:
        """Slots, and the copies that keep every window in one piece."""
        return self.n_slots + 2 * self.reach

    @property
    def n_out(self) -> int:
        """Windows that can be handed out and not released at the same time."""
        return self.ahead + 1

    def places(self, start: int, distances: Distances = NEXT) -> list[int]:
        """Return the places of a window among the 2S+1 from `start` on."""
        return [start + self.reach + offset for offset in offsets(self.radius, distances)]


class Slots(Protocol[WindowT_co]):
    """The places of a ring. One thread writes and copies, another asks for windows."""

    layout: RingLayout

    def write(self, place: int, luma: Luma) -> None:
        """Put a frame, [H, W] or [H, W, 2] uint8 of any strides, in a place; `luma` may change once this returns."""

    def copy(self, source: int, target: int) -> None:
        """Put the frame of one place in another."""

    def window(self, start: int, distances: Distances = NEXT) -> WindowT_co:
        """Return layout.places(start, distances) as the engine takes them; what was written before is seen there."""

    def close(self) -> None:
        """Give the memory back; no window is used any more."""


class HostSlots:
    """Places in one array; a window is [2R+1, H, W], or [2R+1, H, W, 2] for byte pairs.

    It is a view where its frames stand equally far apart, else a copy. Its frames are each in one piece, and all
    together where they stand next to each other.
    """

    def __init__(self, layout: RingLayout, frame_shape: tuple[int, ...]) -> None:
        self.layout = layout
        self._places: Luma = np.empty((layout.n_places, *frame_shape), np.uint8)

    def write(self, place: int, luma: Luma) -> None:
        """See `Slots`."""
        self._places[place] = luma

    def copy(self, source: int, target: int) -> None:
        """See `Slots`."""
        self._places[target] = self._places[source]

    def window(self, start: int, distances: Distances = NEXT) -> Luma:
        """See `Slots`."""
        places = self.layout.places(start, distances)
        before, behind = distances
        return self._places[places[0] : places[-1] + 1 : before] if before == behind else self._places[places]

    def close(self) -> None:
        """Do nothing: the array goes with its last view."""
