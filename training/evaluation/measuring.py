"""Measuring one subject on one coded clip, three streams in step.

pristine ---------------------------> frame t --+
decoded -----+----------------------> frame t --+--> PSNR, SSIM, best block, VMAF
             \\-> subject (R ahead) -> frame t --+
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import tee, zip_longest
from typing import Any

from cvqe.errors import InputError
from cvqe.file_digest import sha256_of
from cvqe.frame import Frame
from runtime.meter import levels
from training.evaluation.best_block import BestBlock
from training.evaluation.bit_rate import bitrate_kbps
from training.evaluation.cases import Case
from training.evaluation.frame_quality import frame_quality
from training.evaluation.luma_clip import LumaClip, open_luma, refuse_other_format
from training.evaluation.measurement import CaseFacts, Measurement
from training.evaluation.provenance import Provenance
from training.evaluation.subject import DECODED, Facts, Subject, TimedFrame
from training.evaluation.vmaf_scores import VmafScores

OnFrame = Callable[[int], None]


@dataclass(frozen=True)
class MeasureOptions:
    """How much is measured of every clip."""

    first_frames: int | None = None
    with_vmaf: bool = False


def measure(
    case: Case, subject: Subject, options: MeasureOptions, origin: Provenance, on_frame: OnFrame = lambda _number: None
) -> Measurement:
    """Measure every frame of a case; memory holds the frames that the subject looks ahead, and no more.

    Args:
        on_frame: called with the number of frames done.

    Raises:
        CvqeError: the files do not fit each other, or the subject can't run on them.
    """
    collector = _Collector(VmafScores() if options.with_vmaf else None)
    first_frames = options.first_frames
    with_partitions = subject.needs_partitions(case)
    with (
        open_luma(case.pristine, first_frames) as pristine,
        open_luma(case.coded, first_frames, with_partitions) as decoded,
    ):
        refuse_other_format(decoded, pristine)
        seen, fed = tee(decoded.frames)
        with closing(subject.enhance(case, replace(decoded, frames=fed))) as enhanced:
            streams = {str(case.pristine): pristine.frames, str(case.coded): seen, subject.name: enhanced}
            for original, shown, timed in _in_step(streams):
                collector.see(original, shown, timed, pristine.peak)
                on_frame(collector.n_frames)
        facts = _case_facts(case, pristine)
    return collector.measurement(facts, subject.facts(case), origin)


def _in_step(streams: Mapping[str, Iterator[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield a frame of each stream at a time.

    Raises:
        InputError: one ends before another.
    """
    for number, frames in enumerate(zip_longest(*streams.values())):
        ended = [name for name, frame in zip(streams, frames, strict=True) if frame is None]
        if ended:
            going_on = [name for name in streams if name not in ended]
            raise InputError(
                f"{ended[0]} ends after {number} frames, {going_on[0]} has more; the same frames were expected in "
                "both. Make the shorter one again."
            )
        yield frames


def _case_facts(case: Case, pristine: LumaClip) -> CaseFacts:
    return CaseFacts(
        clip=case.clip,
        configuration=case.configuration,
        qp=case.qp,
        first_frames=pristine.first_frames,
        gt_class=case.gt_class,
        width=pristine.width,
        height=pristine.height,
        bit_depth=pristine.bit_depth,
        bitrate_kbps=bitrate_kbps(case.coded, pristine.first_frames),
        pristine_sha256=sha256_of(case.pristine),
        coded_sha256=sha256_of(case.coded),
    )


class _Collector:
    """Numbers and the best block, while frames pass."""

    def __init__(self, vmaf: VmafScores | None) -> None:
        self._psnr_db: list[float] = []
        self._ssim: list[float] = []
        self._ms: list[float] = []
        self._vmaf = vmaf
        self._best = BestBlock()

    @property
    def n_frames(self) -> int:
        """Frames seen."""
        return len(self._psnr_db)

    def see(self, original: Frame, shown: Frame, timed: TimedFrame, peak: float) -> None:
        """Measure one frame; `shown` is the decoded one, `timed` the subject's."""
        pristine, decoded, enhanced = levels(original.luma), levels(shown.luma), levels(timed.luma)
        quality = frame_quality(pristine, enhanced, peak)
        self._best.see(self.n_frames, decoded, enhanced, pristine)
        self._psnr_db.append(quality.psnr_db)
        self._ssim.append(quality.ssim)
        if timed.ms is not None:
            self._ms.append(timed.ms)
        if self._vmaf is not None:
            self._vmaf.see(pristine, enhanced, peak)

    def measurement(self, case: CaseFacts, subject: Facts, origin: Provenance) -> Measurement:
        """Return all of it."""
        vmaf, vmaf_neg = ([], []) if self._vmaf is None else self._vmaf.scores()
        block = None if subject.name == DECODED else self._best.block
        return Measurement(case, subject, origin, self._psnr_db, self._ssim, self._ms, vmaf, vmaf_neg, block)
