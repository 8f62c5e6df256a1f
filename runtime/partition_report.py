"""Statistics of partitions as text for a person.

              4x4     8x8   16x16   32x32   64x64
transform   12.1 %  30.4 %  40.2 %  17.3 %       -
coding           -  25.0 %  41.7 %  30.1 %   3.2 %
"""

from collections.abc import Iterator, Sequence

import numpy as np

from cvqe.partition import MODES
from runtime.partition_statistics import SIDES_PX, Areas, BlockAreas, ClipStatistics, PictureStatistics

_LABEL, _CELL = 10, 8
_BAR = 40  # characters of the longest bar
_MOST_NUMBERS = 8  # frames named one by one


def clip_report(statistics: ClipStatistics) -> str:
    """Return a clip's statistics, several lines."""
    return "\n".join([*_counts(statistics), *(_shares(statistics.areas) if statistics.n_whole else [])])


def pictures_report(pictures: Sequence[PictureStatistics]) -> str:
    """Return a table, a line a picture: shares of transform units and modes, and the quantiser."""
    names = ["frame", "slices", *(f"{side}x{side}" for side in SIDES_PX), *MODES, "qp", "lowest", "highest"]
    return "\n".join([_columns(names), *(_columns(_cells(picture)) for picture in pictures)])


def _counts(statistics: ClipStatistics) -> Iterator[str]:
    types = ", ".join(f"{kind} {count}" for kind, count in sorted(statistics.types.items()))
    yield f"{'pictures':{_LABEL}}  {statistics.n_pictures}{f' ({types})' if types else ''}"
    for problem, numbers in statistics.problems.items():
        more = f" and {len(numbers) - _MOST_NUMBERS} more" if len(numbers) > _MOST_NUMBERS else ""
        listed = ", ".join(map(str, numbers[:_MOST_NUMBERS]))
        yield f"{'not read':{_LABEL}}  {len(numbers)}: {problem} (frame {listed}{more})"


def _shares(areas: BlockAreas) -> Iterator[str]:
    yield _row("", [f"{side}x{side}" for side in SIDES_PX])
    yield _row("transform", _percents(areas.transform))
    yield _row("coding", _percents(areas.coding))
    yield ""
    yield _row("", MODES)
    yield _row("mode", _percents(areas.mode))
    yield ""
    qps = areas.qps
    yield f"{'qp':{_LABEL}}  mean {areas.mean_qp:.2f}, {min(qps)} to {max(qps)}"
    largest = max(qps.values())
    for qp, share in qps.items():
        yield f"{qp:{_LABEL}}{share:{_CELL}.1%}  {'#' * max(1, round(_BAR * share / largest))}"


def _cells(picture: PictureStatistics) -> list[str]:
    start = [str(picture.number), picture.slice_types or "-"]
    areas = picture.areas
    if areas is None:
        return [*start, "not read: " + "; ".join(picture.problems)]
    qps = areas.qps
    return [
        *start,
        *_percents(areas.transform),
        *_percents(areas.mode),
        f"{areas.mean_qp:.2f}",
        str(min(qps)),
        str(max(qps)),
    ]


def _row(label: str, cells: Sequence[str]) -> str:
    return f"{label:{_LABEL}}{_columns(cells)}"


def _columns(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{_CELL}}" for cell in cells)


def _percents(areas: Areas) -> list[str]:
    total = max(int(np.sum(areas)), 1)
    return [f"{area / total:.1%}" if area else "-" for area in areas]
