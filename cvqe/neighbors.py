"""Which frames a network sees around its target.

adjacent       the 2R frames next to it
low-delay      at every fourth frame the two at twice the distance: HM's low-delay coding gives frames 0, 4, 8, ... the
               finest quantiser, and frame 2 lies between two of them
peak-quality   the nearest frame before it and the nearest behind it that were coded more finely than those around them,
               as MFQE has them (Yang et al., CVPR 2018); next to it where the bitstream tells of none so near
"""

from collections.abc import Sequence

from cvqe.errors import ModelError

ADJACENT, LOW_DELAY, PEAK_QUALITY = "adjacent", "low-delay", "peak-quality"
NEIGHBORS = (ADJACENT, LOW_DELAY, PEAK_QUALITY)
_PERIOD, _MIDDLE = 4, 2  # of HM's low-delay quantisers, and the frame halfway between the finest ones
_FARTHEST_PEAK = 4  # a coder's usual patterns are no longer, and frames farther away show less of the target
Distances = tuple[int, int]  # between the frames of a window, before its target and behind it


def checked_neighbors(neighbors: str, radius: int) -> str:
    """Return the choice if there is such a one for this radius.

    Raises:
        ModelError: no such choice, or another one than adjacent with another radius than 1.
    """
    if neighbors not in NEIGHBORS or (neighbors != ADJACENT and radius != 1):
        raise ModelError(
            f"neighbors {neighbors!r} with radius {radius}: {' or '.join(NEIGHBORS)} was expected, those behind the "
            "first with radius 1 alone."
        )
    return neighbors


def reach(neighbors: str, radius: int) -> int:
    """Return how many frames on either side of a target must be at hand."""
    return {ADJACENT: radius, LOW_DELAY: 2 * radius, PEAK_QUALITY: _FARTHEST_PEAK}[neighbors]


def offsets(radius: int, distances: Distances) -> list[int]:
    """Return where the 2R+1 frames of a window stand, the target at 0."""
    before, behind = distances
    return [*range(-radius * before, 0, before), *range(0, radius * behind + 1, behind)]


def distances(neighbors: str, number: int, qps: Sequence[float | None]) -> Distances:
    """Return how far apart the frames of a window stand.

    Args:
        number: as in `spacing`.
        qps: quantisers of the 2S+1 frames around the target, S the reach; None where the bitstream doesn't tell. Where
            a scene ends its last frame is there again, as in the windows.
    """
    if neighbors != PEAK_QUALITY:
        return (spacing(neighbors, number),) * 2
    middle = len(qps) // 2
    steps = range(1, middle + 1)
    before, behind = ([step for step in steps if _is_peak(qps, middle + sign * step)] for sign in (-1, 1))
    return min(before, default=1), min(behind, default=1)


def spacing(neighbors: str, number: int) -> int:
    """Return the distance between the frames of a window where it follows from the target's number.

    Args:
        number: the target's, counted from 0 where its coder's pattern of quantisers begins.

    Raises:
        ModelError: it follows from the quantisers of frames, which only a bitstream tells.
    """
    if neighbors == PEAK_QUALITY:
        raise ModelError(
            f"neighbors {PEAK_QUALITY!r} are chosen by what a bitstream tells, which is not at hand here; "
            f"{ADJACENT} or {LOW_DELAY} was expected."
        )
    return 2 if neighbors == LOW_DELAY and number % _PERIOD == _MIDDLE else 1


def patterns(neighbors: str) -> tuple[Distances, ...]:
    """Return all that `distances` gives, the nearest first; nothing where quantisers choose among too many."""
    if neighbors == PEAK_QUALITY:
        return ()
    return tuple(sorted({distances(neighbors, number, ()) for number in range(_PERIOD)}))


def _is_peak(qps: Sequence[float | None], place: int) -> bool:
    """Tell whether a frame was coded no more coarsely than either next one, and more finely than one of them."""
    around = [qps[each] for each in (max(place - 1, 0), place, min(place + 1, len(qps) - 1))]
    known = [qp for qp in around if qp is not None]
    return len(known) == len(around) and known[1] == min(known) < max(known)
