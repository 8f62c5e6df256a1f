"""The Pareto front of what costs time and gains quality: points that nothing else is both faster and better than."""

from collections.abc import Iterable, Sequence

Place = tuple[float, float]  # cost, and gain


def front(places: Iterable[Place]) -> list[Place]:
    """Return the places that cost less than all that gain as much or more, from the cheapest on, each once."""
    kept: list[Place] = []
    for cost, gain in sorted(places, key=lambda place: (place[0], -place[1])):
        if not kept or gain > kept[-1][1]:
            kept.append((cost, gain))
    return kept


def steps(places: Sequence[Place], end: float) -> list[Place]:
    """Return the corners of a front's line: what can be gained at most for every cost up to `end`.

    Args:
        places: of `front`, at least one.
        end: no less than the largest cost.
    """
    corners = [places[0]]
    for cost, gain in places[1:]:
        corners += [(cost, corners[-1][1]), (cost, gain)]
    return [*corners, (end, corners[-1][1])]
