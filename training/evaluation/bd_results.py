"""The BD-rate of every subject on every clip: its QPs are the points of the two curves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from training.evaluation.bd_rate import bd_rate_pct
from training.evaluation.results import Result


@dataclass(frozen=True)
class BdResult:
    """Rate saved at equal PSNR by one subject on one clip, in percent; None where it is not defined."""

    clip: str
    configuration: str
    column: tuple[bool, str]
    first_frames: int | None
    qps: tuple[int, ...]
    cubic_pct: float | None
    pchip_pct: float | None

    @property
    def subject(self) -> str:
        """The subject's name."""
        return self.column[1]


def bd_results(results: Iterable[Result]) -> list[BdResult]:
    """Gather the QPs of each clip, configuration and subject; results without a QP have no curve."""
    with_qp = sorted((result for result in results if result.case.qp is not None), key=_order)
    return [_bd_result(list(points)) for _, points in groupby(with_qp, key=lambda result: _order(result)[:-1])]


def _order(result: Result) -> tuple[object, ...]:
    case = result.case
    return case.first_frames or 0, case.clip, case.configuration, result.column, case.qp


def _bd_result(points: Sequence[Result]) -> BdResult:
    kbps = [point.case.bitrate_kbps for point in points]
    before = [point.psnr_db for point in points]
    after = [fmean(point.after.psnr_db) for point in points]
    case = points[0].case
    return BdResult(
        case.clip,
        case.configuration,
        points[0].column,
        case.first_frames,
        tuple(point.case.qp for point in points if point.case.qp is not None),
        bd_rate_pct(kbps, before, kbps, after, "cubic"),
        bd_rate_pct(kbps, before, kbps, after, "pchip"),
    )
