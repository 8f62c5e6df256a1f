"""What a run on a GPU tells: lines with a number, and those that say why there is none."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.report import Timing
from cvqe.errors import CvqeError
from runtime.engine import last_words

T = TypeVar("T")
log = logging.getLogger(__name__)
OUR_PACKAGES = ("benchmarks", "cvqe", "export", "plugins", "runtime")  # of which nothing is missing for a good reason
GOALS = {"of floor": 1.3, "of torchvision": 3.0, "frames/s": 120.0, "of eager": 15.0}


@dataclass(frozen=True)
class Line:
    """One line of the table, and the row it leaves."""

    case: str
    provider: str
    metric: str
    unit: str
    timing: Timing
    note: str = ""

    def __str__(self) -> str:
        return (
            f"{self.case:24} {self.provider:34} {self.metric:14} {self.timing.median:10.3f} {self.unit:8} {self.note}"
        )


@dataclass(frozen=True)
class NotRun:
    """A line without a number; `is_failure` where it should have had one."""

    case: str
    provider: str
    reason: str
    is_failure: bool

    def __str__(self) -> str:
        return f"{self.case:24} {self.provider:34} not run: {self.reason}"


@dataclass(frozen=True)
class Obstacle:
    """Why something gave no result."""

    reason: str
    is_failure: bool

    def line(self, case: str, provider: str) -> NotRun:
        """Return the line that tells of it."""
        return NotRun(case, provider, self.reason, self.is_failure)


class NotPossible(CvqeError):
    """Something this machine can't do, which is nobody's failure: a package is missing, or the GPU is another kind."""


def attempted(work: Callable[[], T]) -> T | Obstacle:
    """Return what work gives, or why it gives nothing; what nobody foresaw goes to the log in full."""
    try:
        return work()
    except Exception as error:  # libraries' errors have no common parent, and one must not end the run
        missing = _missing_package(error)
        if missing:
            return Obstacle(f"{missing} is not installed", is_failure=False)
        if isinstance(error, CvqeError):
            return Obstacle(str(error).splitlines()[0], is_failure=not isinstance(error, NotPossible))
        log.warning("not run:", exc_info=error)
        return Obstacle(f"{type(error).__name__}: {last_words(error)}", is_failure=True)


def one(value: float) -> Timing:
    """Return a single number as a timing."""
    return Timing(value, value, value)


def goal(value: float, name: str, is_upper: bool = False) -> str:
    """Say how a value stands to its goal."""
    wanted = GOALS[name]
    is_reached = value <= wanted if is_upper else value >= wanted
    return f"goal {'at most' if is_upper else 'at least'} {wanted:g}: {'reached' if is_reached else 'missed'}"


def _missing_package(error: BaseException) -> str | None:
    """Return the package that an error is about in the end, None where it is about something else."""
    names = [each.name for each in _causes(error) if isinstance(each, ModuleNotFoundError) and each.name]
    return next((name for name in names if name.partition(".")[0] not in OUR_PACKAGES), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
