"""Which frames a network sees around its target.

adjacent     the 2R frames next to it
low-delay    at every fourth frame the two at twice the distance: HM's low-delay coding gives frames 0, 4, 8, ... the
             finest quantiser, and frame 2 lies between two of them
"""

from cvqe.errors import ModelError

ADJACENT, LOW_DELAY = "adjacent", "low-delay"
NEIGHBORS = (ADJACENT, LOW_DELAY)
_PERIOD, _MIDDLE = 4, 2  # of HM's low-delay quantisers, and the frame halfway between the finest ones


def checked_neighbors(neighbors: str, radius: int) -> str:
    """Return the choice if there is such a one for this radius.

    Raises:
        ModelError: no such choice, or low-delay with another radius than 1.
    """
    if neighbors not in NEIGHBORS or (neighbors == LOW_DELAY and radius != 1):
        raise ModelError(
            f"neighbors {neighbors!r} with radius {radius}: {' or '.join(NEIGHBORS)} was expected, the latter with "
            "radius 1 alone."
        )
    return neighbors


def reach(neighbors: str, radius: int) -> int:
    """Return how many frames on either side of a target must be at hand."""
    return 2 * radius if neighbors == LOW_DELAY else radius


def spacing(neighbors: str, number: int) -> int:
    """Return the distance between the frames of a window.

    Args:
        number: the target's, counted from 0 where its coder's pattern of quantisers begins.
    """
    return 2 if neighbors == LOW_DELAY and number % _PERIOD == _MIDDLE else 1


def spacings(neighbors: str) -> tuple[int, ...]:
    """Return every distance that `spacing` gives, the smallest first."""
    return tuple(sorted({spacing(neighbors, number) for number in range(_PERIOD)}))
