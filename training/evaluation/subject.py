"""What is evaluated: anything that gives a better frame for every decoded one."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from cvqe.frame import Luma
from training.evaluation.cases import Case
from training.evaluation.luma_clip import LumaClip

DECODED = "decoded"  # the name of what all others are compared with
FFMPEG = "FFmpeg"  # a backend begins with it where there is no network


@dataclass(frozen=True)
class Facts:
    """What makes two measurements of a subject the same one.

    Attributes:
        name: the column of a table; unique in a run.
        backend, precision, settings: what computed it and how; empty where there is nothing to say.
        sha256: of the network or video file.
        is_steady: one frame takes as long as another, so the median says how long; else frames come out in bursts and
            the mean does.
    """

    name: str
    backend: str = ""
    precision: str = ""
    settings: str = ""
    sha256: str = ""
    is_steady: bool = True

    @property
    def column(self) -> tuple[bool, str]:
        """Where it stands in tables: FFmpeg's filters after all else, then by name."""
        return self.backend.startswith(FFMPEG), self.name


@dataclass(frozen=True)
class TimedFrame:
    """Enhanced luma, [H, W] or [H, W, 2] uint8, and how long it took; None where nothing was computed."""

    luma: Luma
    ms: float | None = None


Frames = Generator[TimedFrame, None, None]  # closed where a run ends early: it may hold a file open


class Subject(Protocol):
    """One column of the tables; can be sent to another process."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def facts(self, case: Case) -> Facts:
        """Tell what would run on this case, without running it."""

    def needs_partitions(self, case: Case) -> bool:
        """Tell whether the decoded frames must bring their partitions."""

    def enhance(self, case: Case, decoded: LumaClip) -> Frames:
        """Yield a frame for every decoded one, in order, reading only as far ahead as it must."""


@dataclass(frozen=True)
class Decoded:
    """The decoded video itself, as it is."""

    name: str = DECODED

    def facts(self, case: Case) -> Facts:
        """See Subject."""
        return Facts(self.name)

    def needs_partitions(self, case: Case) -> bool:
        """See Subject."""
        return False

    def enhance(self, case: Case, decoded: LumaClip) -> Frames:
        """See Subject."""
        return (TimedFrame(frame.luma) for frame in decoded.frames)
