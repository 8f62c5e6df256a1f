"""A run of compress.py: every clip at every QP, in processes, into one indexed folder."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cvqe.errors import CvqeError, ExitCode, UsageError
from cvqe.file_lock import locked
from cvqe.whole_file import remove_unfinished
from training.clip_coding import ClipJob, ClipResult, code_clip
from training.clip_list import find_clips
from training.coding import Coding
from training.coding_index import INDEX, IndexRow, Key, load_index, save_index
from training.stoppable_pool import run_jobs

LOCKED = ".compress"


@dataclass(frozen=True)
class Compression:
    """What to code, how, and where to."""

    clips: Path
    output: Path
    qp: tuple[int, ...] = (22, 27, 32, 37, 42)
    configuration: str = "ldp"
    codec: str = "hevc"
    transform_depth: int = 1
    exclude: tuple[str, ...] = ()
    exclude_noncommercial: bool = False
    ssim: bool = False
    workers: int = 2

    @property
    def codings(self) -> list[Coding]:
        """Give the codings, one per QP, each once."""
        return [Coding(self.configuration, qp, self.codec, self.transform_depth) for qp in dict.fromkeys(self.qp)]


@dataclass(frozen=True)
class Progress:
    """How far a run is: clips done of all, and the results that are new, in the order of the jobs."""

    n_done: int
    n_jobs: int
    results: Sequence[ClipResult]


@dataclass
class Outcome:
    """What a run left: its index, how many clips are in order, and what failed, in the order of the jobs."""

    index: Path
    n_clips: int = 0
    failures: list[CvqeError] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """Say DONE; PARTIAL if some clips failed; what the first failure says if all did."""
        if not self.failures:
            return ExitCode.DONE
        return ExitCode.PARTIAL if self.n_clips else self.failures[0].exit_code


def compress(options: Compression, on_progress: Callable[[Progress], None]) -> Outcome:
    """Code every clip at every QP; what is there already, whole and made with the same settings, is kept.

    The index is written at the end, and also when the run is stopped. A clip that fails doesn't stop the others.

    Raises:
        CvqeError: the options, the folder of clips or the output don't allow to begin, or a worker was killed.
        KeyboardInterrupt: the user stopped the run; every file under a final name is whole.
    """
    if options.workers < 1:
        raise UsageError(f"--workers {options.workers} would do nothing; give 1 or more.")
    codings = options.codings
    clips = find_clips(options.clips, options.exclude, options.exclude_noncommercial)
    with _locked(options.output):
        for folder in (options.output, *(options.output / coding.folder for coding in codings)):
            remove_unfinished(folder)
        rows = load_index(options.output)
        return _run(options, _jobs(options, codings, clips, rows), rows, on_progress)


def _jobs(options: Compression, codings: list[Coding], clips: list[Path], rows: dict[Key, IndexRow]) -> list[ClipJob]:
    return [
        ClipJob(
            source=clip,
            target=options.output / coding.folder / f"{clip.stem}.mkv",
            coding=coding,
            known=rows.get((coding.name, coding.qp, clip.stem)),
            wants_ssim=options.ssim,
        )
        for coding in codings
        for clip in clips
    ]


def _run(
    options: Compression, jobs: list[ClipJob], rows: dict[Key, IndexRow], on_progress: Callable[[Progress], None]
) -> Outcome:
    outcome = Outcome(options.output / INDEX)

    def note(n_done: int, ended: Sequence[Future[ClipResult]]) -> None:
        failures = [failure for failure in map(_failure, ended) if failure]
        results = [future.result() for future in ended if not future.exception()]
        outcome.failures += failures
        outcome.n_clips += len(results)
        rows.update({result.row.key: result.row for result in results})
        on_progress(Progress(n_done, len(jobs), results))

    try:
        run_jobs(code_clip, jobs, options.workers, note)
    finally:
        save_index(options.output, rows.values())
    return outcome


def _failure(future: Future[ClipResult]) -> CvqeError | None:
    """Give the user's mistake that a job ended with; ours are raised."""
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise CvqeError(
            "a worker process was killed, most likely for want of memory; what is done is kept. "
            "Go on with fewer:  --workers 1"
        ) from error
    if error is not None and not isinstance(error, CvqeError):
        raise error
    return error


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Make the output folder, and keep a second run out of it for as long as this one lives.

    Raises:
        CvqeError: the folder can't be written to, or another run is writing to it.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CvqeError(f"{output} can't be written to ({error.strerror}); give another --output.") from error
    with locked(output / LOCKED, waits=False):
        yield
