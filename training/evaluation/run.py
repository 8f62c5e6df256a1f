"""Every subject on every case: what was measured before is kept, the rest is measured and kept as it comes."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from cvqe.errors import CvqeError
from training.evaluation.cases import Case
from training.evaluation.measurement import Measurement
from training.evaluation.measuring import MeasureOptions, OnFrame, measure
from training.evaluation.provenance import Provenance
from training.evaluation.store import Store
from training.evaluation.subject import DECODED, Subject
from training.stoppable_pool import run_jobs


@dataclass(frozen=True)
class Job:
    """One subject to measure on one case, and where the result is kept."""

    case: Case
    subject: Subject
    options: MeasureOptions
    origin: Provenance
    folder: Path


@dataclass(frozen=True)
class Done:
    """A job that has ended; the gain is None where the decoded video is not measured yet, or is the subject."""

    number: int
    n_jobs: int
    measurement: Measurement
    gain_db: float | None


def list_jobs(
    cases: Sequence[Case], subjects: Sequence[Subject], options: MeasureOptions, origin: Provenance, folder: Path
) -> tuple[list[Job], int]:
    """Return what is still to be measured, and how many measurements are there.

    Clip by clip, and a clip subject by subject: an engine serves all QPs of a clip before the next size comes.
    """
    store, jobs, n_kept = Store(folder), list[Job](), 0
    for _, of_clip in groupby(cases, key=lambda case: case.pristine):
        codings = list(of_clip)
        for subject in subjects:
            for case in codings:
                if store.find(case, subject, options.first_frames, options.with_vmaf):
                    n_kept += 1
                else:
                    jobs.append(Job(case, subject, options, origin, folder))
    return jobs, n_kept


def run(
    jobs: Sequence[Job], workers: int, on_done: Callable[[Done], None], on_frame: Callable[[Job, int], None]
) -> None:
    """Measure every job; the first error ends the run, and what was measured stays.

    Args:
        workers: processes; with one, jobs run in this process.
        on_done: called after each job, in their order.
        on_frame: called after each frame, by the process that measures: with several workers, never.

    Raises:
        CvqeError: a job's mistake, or a worker was killed.
    """
    tally = _Tally(len(jobs), on_done)
    if workers == 1:
        for job in jobs:
            tally.add(measure_job(job, lambda number, job=job: on_frame(job, number)))  # type: ignore[misc]
    elif jobs:
        run_jobs(measure_job, jobs, workers, lambda _n_done, ended: tally.add_all(ended))


def measure_job(job: Job, on_frame: OnFrame = lambda _number: None) -> Measurement:
    """Measure one job and keep the result."""
    measurement = measure(job.case, job.subject, job.options, job.origin, on_frame)
    Store(job.folder).save(job.case, measurement)
    return measurement


class _Tally:
    """Counts what is done, and knows the decoded video's PSNR of each case that it has seen."""

    def __init__(self, n_jobs: int, on_done: Callable[[Done], None]) -> None:
        self._n_jobs, self._on_done = n_jobs, on_done
        self._n_done = 0
        self._decoded_db: dict[object, float] = {}

    def add_all(self, futures: Sequence[Future[Measurement]]) -> None:
        """Count jobs of the pool that have ended.

        Raises:
            CvqeError: a job's, or its process was killed.
        """
        for future in futures:
            try:
                self.add(future.result())
            except BrokenProcessPool as error:
                raise CvqeError(
                    "a worker process was killed, most likely for want of memory; what is measured is kept. "
                    "Go on with fewer:  --workers 1"
                ) from error

    def add(self, measurement: Measurement) -> None:
        """Count one job and tell."""
        self._n_done += 1
        psnr_db = fmean(measurement.psnr_db)
        if measurement.subject.name == DECODED:
            self._decoded_db[measurement.case] = psnr_db
        before = self._decoded_db.get(measurement.case)
        is_gain = measurement.subject.name != DECODED and before is not None
        gain_db = psnr_db - before if is_gain and before is not None else None
        self._on_done(Done(self._n_done, self._n_jobs, measurement, gain_db))
