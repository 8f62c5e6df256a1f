"""The user's mistakes as exceptions, and the exit code each one ends a program with."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a finished program says to the shell; stable, documented in the README."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    UNREADABLE_INPUT = 3
    PARTIAL = 4
    FELL_BACK = 5
    INTERRUPTED = 130


class CvqeError(Exception):
    """Something the user can mend; its text says what happened, what was expected and what to type next."""

    exit_code = ExitCode.ERROR


class UsageError(CvqeError):
    """Options that contradict each other or name something that does not exist."""

    exit_code = ExitCode.USAGE


class InputError(CvqeError):
    """An input that can't be read as a video."""

    exit_code = ExitCode.UNREADABLE_INPUT


class ShapeError(CvqeError):
    """Arrays whose shapes do not fit together."""


class ModelError(CvqeError):
    """A model file that is damaged, foreign, or does not fit what it is asked to do."""


class BackendError(CvqeError):
    """An inference backend that is not installed or can't run this file."""
