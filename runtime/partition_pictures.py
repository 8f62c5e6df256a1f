"""Drawn frames as PNG files in a folder: frame_000010.png is the frame shown eleventh."""

from collections.abc import Sequence
from pathlib import Path

from cvqe.errors import CvqeError, UsageError
from cvqe.frame import Frame
from runtime.partition_sheet import Sheet
from runtime.png_file import save_png

DIGITS = 6


def picture_path(folder: Path, number: int) -> Path:
    """Name the drawing of a frame."""
    return folder / f"frame_{number:0{DIGITS}}.png"


class DrawnPictures:
    """Draws chosen frames, each into a file of its own.

    Attributes:
        written: files so far.
    """

    def __init__(self, paths: dict[int, Path], sheet: Sheet) -> None:
        self.written: list[Path] = []
        self._paths = paths
        self._sheet = sheet

    def draw(self, frame: Frame) -> None:
        """Draw a frame, if it was chosen.

        Raises:
            CvqeError: the file can't be written.
        """
        path = self._paths.get(frame.number)
        if path is not None:
            save_png(self._sheet.draw(frame), path)
            self.written.append(path)

    def close(self) -> None:
        """Leave the files; each is whole."""

    def discard(self) -> None:
        """Leave the files; each is whole."""


def picture_paths(output: Path, numbers: Sequence[int], overwrite: bool) -> dict[int, Path]:
    """Name a file for every frame, in a folder that is made where it is missing, or the one file if that is a PNG.

    Raises:
        UsageError: a file exists and may not be overwritten, or one is named for several frames.
        CvqeError: the folder can't be made.
    """
    numbers = sorted(set(numbers))
    if output.suffix.lower() == ".png" and not output.is_dir():
        if len(numbers) != 1:
            raise UsageError(f"{output.name} holds one frame; choose one:  --frame {numbers[0]}")
        folder, paths = output.absolute().parent, {numbers[0]: output}
    else:
        folder, paths = output, {number: picture_path(output, number) for number in numbers}
    _make_folder(folder)
    for path in paths.values():
        if path.exists() and not overwrite:
            raise UsageError(f"{path} exists; give another name with -o, or replace it:  --overwrite")
    return paths


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CvqeError(f"{folder} can't be made ({error.strerror}); give a folder of your own with -o") from error
