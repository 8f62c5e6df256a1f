"""Results as Markdown tables in the form of the papers' own, a column a subject.

gains        delta PSNR in dB / delta SSIM in 1e-4, a line a clip       TGAFNet, Table I
stability    PVD / SD of the per-frame PSNR in dB                       MFQE 2.0, Table 5
BD-rate      percent: cubic, and pchip in brackets                      VCEG-M33
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from statistics import fmean, median
from typing import Any, Protocol, TypeVar

from training.evaluation.bd_results import BdResult
from training.evaluation.results import Result
from training.evaluation.stability import pvd_db, sd_db
from training.evaluation.subject import DECODED

NOT_DEFINED = "n/a"


class OfSubject(Protocol):
    """Anything that belongs to a column."""

    @property
    def column(self) -> tuple[bool, str]:
        """Where the subject stands, and its name."""


T = TypeVar("T", bound=OfSubject)
Cell = Callable[[Sequence[T]], str]


def gains_table(results: Sequence[Result]) -> str:
    """Return the gains of one configuration and QP: a line a clip, then the means of classes and of all."""
    subjects = subjects_of(results)
    lines = [
        [*_about_clip(own[0]), *_cells(own, subjects, gain_cell)]
        for _, own in by(results, lambda result: result.case.clip)
    ]
    for label, own in [*_classes(results), ("**mean**", results)]:
        decoded = fmean({result.case.clip: result.psnr_db for result in own}.values())
        lines.append([label, "", "", "", f"{decoded:.2f}", *_cells(own, subjects, counted(gain_cell, own))])
    return markdown(["clip", "class", "size", "frames", f"{DECODED}, dB", *subjects], lines)


def means_table(results: Sequence[Result], cell: Cell[Result]) -> str:
    """Return a line for each configuration and QP; `cell` makes one of all results of a subject."""
    subjects = subjects_of(results)
    lines = [
        [coding, str(n_clips(own)), *_cells(own, subjects, counted(cell, own))] for coding, own in by_coding(results)
    ]
    return markdown(["coding", "clips", *subjects], lines)


def stability_table(results: Sequence[Result]) -> str:
    """Return PVD / SD, means over clips, of the decoded video and of each subject.

    PVD is a mean over the clips where all of them have one: others would compare different clips.
    """
    subjects = subjects_of(results)
    lines = []
    for coding, own in by_coding(results):
        with_peaks = {
            clip for clip, some in by(own, lambda result: result.case.clip) if None not in map(pvd_db, _curves(some))
        }
        before = {result.case.clip: result.before.psnr_db for result in own}
        after = [{each.case.clip: each.after.psnr_db for each in own if each.subject == name} for name in subjects]
        cells = [_stability(curves, with_peaks) if curves else "" for curves in (before, *after)]
        lines.append([coding, f"{n_clips(own)} ({len(with_peaks)})", *cells])
    return markdown(["coding", "clips", DECODED, *subjects], lines)


def bd_table(results: Sequence[BdResult]) -> str:
    """Return BD-rates: a line for each configuration and clip, then the means over the clips that have one."""
    subjects = subjects_of(results)
    lines = []
    for configuration, own in by(results, lambda result: result.configuration):
        for clip, of_clip in by(own, lambda result: result.clip):
            lines.append([configuration, clip, *_cells(of_clip, subjects, bd_cell)])
        lines.append([configuration, "**mean**", *_cells(own, subjects, bd_cell)])
    return markdown(["configuration", "clip", *subjects], lines)


def time_table(results: Sequence[Result]) -> str:
    """Return milliseconds a frame: the median over what was measured at one size."""
    timed = [result for result in results if result.after.ms_per_frame is not None]
    subjects = subjects_of(timed)
    lines = [
        [f"{width}x{height}", *_cells(own, subjects, _time_cell)]
        for (_, width, height), own in by(timed, lambda result: _size(result.case.width, result.case.height))
    ]
    return markdown(["size", *subjects], lines)


def gain_cell(results: Sequence[Result]) -> str:
    """Return the mean delta PSNR in dB / delta SSIM in 1e-4."""
    delta_db, delta_ssim = (fmean(values) for values in zip(*map(_gains, results), strict=True))
    return f"{delta_db:+z.3f} / {1e4 * delta_ssim:+z.0f}"


def gain_and_worst_cell(results: Sequence[Result]) -> str:
    """Return the mean gain, and the least one of any clip."""
    return f"{gain_cell(results)} (worst {min(result.delta_psnr_db for result in results):+z.3f})"


def vmaf_cell(results: Sequence[Result]) -> str:
    """Return the mean delta VMAF / delta VMAF-NEG; empty where they were not measured."""
    plain = [result.delta_vmaf for result in results if result.delta_vmaf is not None]
    neg = [result.delta_vmaf_neg for result in results if result.delta_vmaf_neg is not None]
    return f"{fmean(plain):+z.2f} / {fmean(neg):+z.2f}" if plain and neg else ""


def bd_cell(results: Sequence[BdResult]) -> str:
    """Return the mean of the BD-rates that are defined, in percent: cubic (pchip)."""
    cubic = [result.cubic_pct for result in results if result.cubic_pct is not None]
    pchip = [result.pchip_pct for result in results if result.pchip_pct is not None]
    return f"{fmean(cubic):+z.2f} ({fmean(pchip):+z.2f})" if cubic and pchip else NOT_DEFINED


def counted(cell: Cell[Result], every: Sequence[Result]) -> Cell[Result]:
    """Return a cell that says so when a subject was not measured on all these clips: its mean is of others then."""
    expected = n_clips(every)

    def with_count(results: Sequence[Result]) -> str:
        note = "" if n_clips(results) == expected else f" ({n_clips(results)} of {expected} clips)"
        return cell(results) + note

    return with_count


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def subjects_of(results: Iterable[OfSubject]) -> list[str]:
    """Return the subjects' names, FFmpeg's filters last."""
    return [name for _, name in sorted({result.column for result in results})]


def n_clips(results: Iterable[Result]) -> int:
    """Return how many clips these results are of."""
    return len({result.case.clip for result in results})


def by(results: Iterable[T], key: Callable[[T], Any]) -> list[tuple[Any, list[T]]]:
    """Return results in groups of one key, by rising key."""
    return [(value, list(group)) for value, group in groupby(sorted(results, key=key), key=key)]


def by_coding(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """Return results by configuration and QP, each group with its name: "ldp, QP 37"."""
    groups = by(results, lambda result: result.case.coding)
    return [(own[0].case.coding_title, own) for _, own in groups]


def _cells(results: Sequence[T], subjects: Sequence[str], cell: Cell[T]) -> list[str]:
    """Return one cell a subject, empty where it was not measured."""
    own = [[result for result in results if result.column[1] == subject] for subject in subjects]
    return [cell(some) if some else "" for some in own]


def _classes(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """Return groups by ground truth and by size, where there are several."""
    groups = []
    for word, key in (("class", lambda result: result.case.gt_class), ("size", lambda result: result.size_class)):
        own = [(f"*{word} {name}*", some) for name, some in by(results, key) if name]
        groups += own if len(own) > 1 else []
    return groups


def _about_clip(result: Result) -> list[str]:
    case = result.case
    return [case.clip, case.gt_class, result.size_class, str(result.after.n_frames), f"{result.psnr_db:.2f}"]


def _gains(result: Result) -> tuple[float, float]:
    return result.delta_psnr_db, result.delta_ssim


def _curves(results: Sequence[Result]) -> list[list[float]]:
    """Return all PSNR curves of one clip, the decoded video's first."""
    return [results[0].before.psnr_db, *(result.after.psnr_db for result in results)]


def _stability(curve_of: Mapping[str, Sequence[float]], with_peaks: Collection[str]) -> str:
    heights = [pvd_db(curve) or 0.0 for clip, curve in curve_of.items() if clip in with_peaks]
    pvd = f"{fmean(heights):.2f}" if heights else NOT_DEFINED
    return f"{pvd} / {fmean(map(sd_db, curve_of.values())):.2f}"


def _time_cell(results: Sequence[Result]) -> str:
    return f"{median(result.after.ms_per_frame or 0.0 for result in results):.1f}"


def _size(width: int, height: int) -> tuple[int, int, int]:
    return width * height, width, height
