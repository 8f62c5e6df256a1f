"""What one look at a clip's partition found: as text for a person, as a dict for a program, as an exit code."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cvqe.errors import ExitCode
from runtime.partition_report import clip_report, pictures_report
from runtime.partition_statistics import ClipStatistics, PictureStatistics


@dataclass
class PartitionSummary:
    """Statistics and what was written.

    Attributes:
        pictures: frame by frame, where that was asked for.
        written: names of pictures or of the video.
        n_damaged: packets that failed to decode, and pictures that the decoder marks as concealed.
        truncated: a sentence where the file ends too early.
        frames_missing: numbers of frames that were to be drawn and are not in the clip.
    """

    source: str
    width: int
    height: int
    bit_depth: int
    statistics: ClipStatistics = field(default_factory=ClipStatistics)
    pictures: list[PictureStatistics] | None = None
    written: list[str] = field(default_factory=list)
    frames_missing: list[int] = field(default_factory=list)
    n_damaged: int = 0
    truncated: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """Say whether all that was asked for is there."""
        is_whole = self.statistics.n_whole == self.statistics.n_pictures
        is_partial = self.truncated or self.n_damaged or self.frames_missing or not is_whole
        return ExitCode.PARTIAL if is_partial else ExitCode.DONE

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("statistics", "pictures")}
        told = {} if self.pictures is None else {"pictures": [picture.as_dict() for picture in self.pictures]}
        return {**plain, **self.statistics.as_dict(), **told, "exit_code": int(self.exit_code)}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.source}: HEVC, {self.width}x{self.height}, {self.bit_depth} bit"
        if self.pictures:
            yield pictures_report(self.pictures)
        yield clip_report(self.statistics)
        if self.written:
            more = f" and {len(self.written) - 1} more" if len(self.written) > 1 else ""
            yield f"drawn: {self.written[0]}{more}"
        if self.frames_missing:
            missing = ", ".join(map(str, self.frames_missing))
            yield f"not drawn: frame {missing}; the first is 0 and {self.statistics.n_pictures} were read"
        if self.n_damaged:
            yield f"{self.n_damaged} packets or pictures are damaged; a picture that can't be decoded is not counted"
        if self.truncated:
            yield f"partial: {self.truncated}"
