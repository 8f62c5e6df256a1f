"""One look at a clip's partition: a file in; statistics out, and drawings as pictures or as a video."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cvqe.errors import UsageError
from cvqe.frame import Frame
from runtime.decoder import Source
from runtime.output_path import CONTAINERS, check_output
from runtime.partition_clip import open_clip
from runtime.partition_pictures import DrawnPictures, picture_paths
from runtime.partition_sheet import Sheet
from runtime.partition_statistics import PictureStatistics
from runtime.partition_summary import PartitionSummary
from runtime.partition_video import DrawnVideo

DEFAULT_FRAMES = (0, 10, 20)
# endings of no folder and of nothing that is written
_REFUSED = frozenset([".avi", ".bmp", ".gif", ".h265", ".hevc", ".jpeg", ".jpg", ".npz", ".webm", ".y4m"])


@dataclass(frozen=True)
class PartitionConfig:
    """What to look at, and what to draw of it.

    Attributes:
        output: a folder or a .png for pictures, or a video by its ending; None for a folder beside the source.
        frame: which frames to draw as pictures, counted from 0; empty for DEFAULT_FRAMES.
        draws: whether anything is drawn at all.
        frames: stop after so many.
        per_frame: keep each picture's own statistics.
    """

    source: Path
    output: Path | None = None
    frame: tuple[int, ...] = ()
    sheet: Sheet = field(default_factory=Sheet)
    draws: bool = True
    frames: int | None = None
    per_frame: bool = False
    threads: int = 0
    overwrite: bool = False


class Drawing(Protocol):
    """Takes the frames in their order."""

    written: list[Path]

    def draw(self, frame: Frame) -> None:
        """Draw the next frame, or pass it over."""

    def close(self) -> None:
        """Finish what was drawn."""

    def discard(self) -> None:
        """Remove what is not finished."""


def examine(config: PartitionConfig, on_frame: Callable[[int, Source], None]) -> PartitionSummary:
    """Read one clip to its end.

    Args:
        config: what to do.
        on_frame: called after each frame, with how many there were.

    Raises:
        CvqeError: anything the user can mend, said in one sentence; nothing is left half-written.
    """
    output = config.output or default_folder(config.source)
    with open_clip(config.source, config.threads, config.frames) as source:
        _check_crop(config, source)
        info = source.info
        summary = PartitionSummary(str(config.source), info.width, info.height, info.bit_depth)
        summary.pictures = [] if config.per_frame else None
        drawing = _drawing(config, output, source)
        try:
            for item in source.items():
                if isinstance(item, Frame):
                    _take(item, summary, drawing)
                    on_frame(source.n_frames, source)
            drawing.close()
        finally:
            drawing.discard()
        summary.truncated, summary.n_damaged = source.truncated_note, source.n_damaged
    summary.written = [str(path) for path in drawing.written]
    summary.frames_missing = [number for number in config.frame if number >= summary.statistics.n_pictures]
    return summary


def default_folder(source: Path) -> Path:
    """Name the folder of pictures after the clip, beside it: in.mp4 gives in.partition."""
    return source.with_name(f"{source.stem}.partition")


def _take(frame: Frame, summary: PartitionSummary, drawing: Drawing) -> None:
    picture = PictureStatistics.of(frame)
    summary.statistics.add(picture)
    if summary.pictures is not None:
        summary.pictures.append(picture)
    drawing.draw(frame)


def _drawing(config: PartitionConfig, output: Path, source: Source) -> Drawing:
    if not config.draws:
        return DrawnPictures({}, config.sheet)
    if output.suffix.lower() in _REFUSED and not output.is_dir():
        raise UsageError(
            f"{output.name} ends in {output.suffix}; expected a folder, .png, or a video: {', '.join(_video_endings())}"
        )
    if output.suffix.lower() in _video_endings() and not output.is_dir():
        if config.frame:
            raise UsageError(f"{output.name} is a video, which shows every frame; leave out --frame, or give -o FOLDER")
        check_output(config.source, output, config.overwrite)
        return DrawnVideo(output, source, config.sheet)
    paths = picture_paths(output, config.frame or DEFAULT_FRAMES, config.overwrite)
    return DrawnPictures(paths, config.sheet)


def _video_endings() -> list[str]:
    return [ending for ending in CONTAINERS if ending not in _REFUSED]


def _check_crop(config: PartitionConfig, source: Source) -> None:
    crop, info = config.sheet.crop, source.info
    if crop is None:
        return
    left, top, width, height = crop
    if left + width > info.width or top + height > info.height:
        raise UsageError(
            f"--crop {left} {top} {width} {height} reaches beyond the picture, which is {info.width}x{info.height}"
        )
