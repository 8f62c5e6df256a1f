"""Measurements joined: what a subject gained over the decoded video."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from training.evaluation.cases import size_class
from training.evaluation.measurement import CaseFacts, Measurement
from training.evaluation.subject import DECODED


@dataclass(frozen=True)
class Result:
    """One subject on one coded clip, beside the decoded video on the same frames."""

    before: Measurement
    after: Measurement

    @property
    def case(self) -> CaseFacts:
        """The coded clip."""
        return self.after.case

    @property
    def subject(self) -> str:
        """The subject's name."""
        return self.after.subject.name

    @property
    def column(self) -> tuple[bool, str]:
        """Where the subject stands in tables."""
        return self.after.subject.column

    @property
    def psnr_db(self) -> float:
        """Mean PSNR over frames, before."""
        return fmean(self.before.psnr_db)

    @property
    def delta_psnr_db(self) -> float:
        """Gain in dB, mean over frames."""
        return fmean(self.after.psnr_db) - self.psnr_db

    @property
    def delta_ssim(self) -> float:
        """Gain in SSIM, mean over frames."""
        return fmean(self.after.ssim) - fmean(self.before.ssim)

    @property
    def delta_vmaf(self) -> float | None:
        """Gain in VMAF; None where it was not measured."""
        return _difference(self.before.vmaf, self.after.vmaf)

    @property
    def delta_vmaf_neg(self) -> float | None:
        """Gain in VMAF-NEG; None where it was not measured."""
        return _difference(self.before.vmaf_neg, self.after.vmaf_neg)

    @property
    def size_class(self) -> str:
        """Class of the frame's size."""
        return size_class(self.case.width, self.case.height)


def join(measurements: Iterable[Measurement]) -> tuple[list[Result], list[Measurement]]:
    """Put every subject beside the decoded video of the same files and frames.

    Returns:
        results by clip, configuration, QP and subject; and what has nothing to stand beside: measured on files that
        have changed since.
    """
    found = list(measurements)
    decoded = {_files(each.case): each for each in found if each.subject.name == DECODED}
    others = [each for each in found if each.subject.name != DECODED]
    paired = [Result(decoded[_files(each.case)], each) for each in others if _files(each.case) in decoded]
    alone = [each for each in others if _files(each.case) not in decoded]
    return sorted(paired, key=_order), alone


def _files(case: CaseFacts) -> tuple[object, ...]:
    return case.clip, case.configuration, case.qp, case.first_frames, case.pristine_sha256, case.coded_sha256


def _order(result: Result) -> tuple[object, ...]:
    case = result.case
    return case.first_frames or 0, case.clip, case.coding, result.column


def _difference(before: Sequence[float], after: Sequence[float]) -> float | None:
    return fmean(after) - fmean(before) if before and after else None
