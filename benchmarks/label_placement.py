"""Where labels of points stand: near their points, on no other label, on no obstacle, and inside."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

GAP = 5.0  # between a point and its label
N_DIRECTIONS = 16


@dataclass(frozen=True)
class Box:
    """A rectangle; y grows upwards."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.bottom + self.height

    def shared_area(self, other: "Box") -> float:
        """Return the area that two boxes share; 0 where they only touch."""
        across = min(self.right, other.right) - max(self.left, other.left)
        along = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(across, 0.0) * max(along, 0.0)

    def holds(self, other: "Box") -> bool:
        """Tell whether another box is inside as a whole."""
        is_across = self.left <= other.left and other.right <= self.right
        return is_across and self.bottom <= other.bottom and other.top <= self.top

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Return the place in the box that is nearest to another."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    inside: Box,
    obstacles: Sequence[Box] = (),
) -> list[Box]:
    """Return a box for the label of every point, each as near to its point as those before it allow.

    Args:
        points: in any unit, which all arguments share.
        sizes: width and height of each point's label; each fits inside.
        obstacles: what no label may hide, as markers.

    Returns:
        boxes inside; a label for which nothing is free stands where it hides least.
    """
    placed = list[Box]()
    for point, size in zip(points, sizes, strict=True):
        placed.append(_least_hiding(_places(point, size, inside), [*obstacles, *placed]))
    return placed


def _least_hiding(places: Iterable[Box], taken: Sequence[Box]) -> Box:
    """Return the first free place; of places that hide something, the first of those that hide least."""
    hiding = dict[Box, float]()
    for box in places:
        hiding[box] = sum(map(box.shared_area, taken))
        if not hiding[box]:
            return box
    return min(hiding, key=lambda box: hiding[box])


def _places(point: tuple[float, float], size: tuple[float, float], inside: Box) -> Iterator[Box]:
    """Yield boxes around a point, to the right of it first, then farther and farther away."""
    (x, y), (width, height) = point, size
    distance, farthest = GAP, math.hypot(inside.width, inside.height)
    while distance < farthest:
        for number in range(N_DIRECTIONS):
            turned = 2 * math.pi * number / N_DIRECTIONS
            center_x = x + (width / 2 + distance) * math.cos(turned)
            center_y = y + (height / 2 + distance) * math.sin(turned)
            box = Box(center_x - width / 2, center_y - height / 2, width, height)
            if inside.holds(box):
                yield box
        distance += height / 2
    yield Box(inside.left, inside.bottom, width, height)
