"""An evaluation from what was asked for to what is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cvqe.errors import UsageError
from runtime.machine import this_machine
from training.evaluation.cases import find_cases
from training.evaluation.measuring import MeasureOptions
from training.evaluation.plot_style import refuse_missing_matplotlib
from training.evaluation.plots import write_plots
from training.evaluation.provenance import provenance
from training.evaluation.reports import load_results, write_reports
from training.evaluation.run import Done, Job, list_jobs, run
from training.evaluation.subject_list import Running, list_subjects
from training.evaluation.vmaf_scores import refuse_missing_vmaf


@dataclass(frozen=True)
class Evaluation:
    """What to measure, on what, how, and where to keep it."""

    clips: Path
    coded: Path
    output: Path
    model: tuple[str, ...] = ()
    pair: tuple[str, ...] = ()
    peer: tuple[str, ...] = ()
    configuration: tuple[str, ...] = ("ldp",)
    qp: tuple[int, ...] = (22, 27, 32, 37, 42)
    only: tuple[str, ...] = ()
    frames: int | None = None
    backend: str = Running.backend
    precision: str = Running.precision
    device: str = Running.device
    guide: str = Running.guide
    vmaf: bool = False
    plots: bool = True
    workers: int = 1
    threads: int = Running.threads


@dataclass(frozen=True)
class Hooks:
    """Whom to tell what: sentences, ended jobs, and frames of the job under way."""

    on_note: Callable[[str], None]
    on_done: Callable[[Done], None]
    on_frame: Callable[[Job, int], None]


def evaluate(options: Evaluation, command: str, hooks: Hooks) -> Path | None:
    """Measure what is not measured yet; CSV files and tables are written however the measuring ends.

    Args:
        command: what was typed, for the rows of results.

    Returns:
        the page of tables; None where there is nothing to show.

    Raises:
        CvqeError: the options do not allow to begin, or a job failed.
        KeyboardInterrupt: the user stopped the run.
    """
    _refuse_impossible(options)
    jobs = _jobs(options, command, hooks)
    try:
        run(jobs, options.workers, hooks.on_done, hooks.on_frame)
    finally:
        results, n_alone = load_results(options.output)
        page = write_reports(results, options.output)
    if n_alone:
        hooks.on_note(
            f"{n_alone} measurements are left out: they are of files that have changed since; evaluate them again"
        )
    if options.plots:
        write_plots(results, options.output / "plots")
    return page


def _refuse_impossible(options: Evaluation) -> None:
    for name, value, least in (("workers", options.workers, 1), ("threads", options.threads, 0)):
        if value < least:
            raise UsageError(f"--{name} {value} is too few; give {least} or more.")
    if options.frames is not None and options.frames < 1:
        raise UsageError(f"--frames {options.frames} would measure nothing; give 1 or more.")
    if options.plots:
        refuse_missing_matplotlib("--no-plots")
    if options.vmaf:
        refuse_missing_vmaf()


def _jobs(options: Evaluation, command: str, hooks: Hooks) -> list[Job]:
    cases = find_cases(options.clips, options.coded, options.configuration, options.qp, options.only)
    threads = options.threads or max(this_machine().n_cores // options.workers, 1)
    running = Running(options.backend, options.precision, options.device, threads, options.guide)
    subjects, reasons = list_subjects(options.model, options.pair, options.peer, running)
    measuring = MeasureOptions(options.frames, options.vmaf)
    jobs, n_kept = list_jobs(cases, subjects, measuring, provenance(command), options.output)
    for reason in reasons:
        hooks.on_note(reason)
    hooks.on_note(f"coded clips: {len(cases)}, subjects: {len(subjects)}; {n_kept} measured before, {len(jobs)} to go")
    return jobs
