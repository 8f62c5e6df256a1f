"""A video as a stream of frames, one in memory at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cvqe.errors import InputError
from cvqe.frame import Frame
from runtime.decoder import open_source
from training.steady_frames import steady_frames


@dataclass(frozen=True)
class LumaClip:
    """An open video.

    Attributes:
        first_frames: where `frames` ends at the latest; None for the end of the file.
        frames: to be read once, while the video is open.
        partition_obstacle: why no frame has a partition, None where they are read.
    """

    path: Path
    width: int
    height: int
    bit_depth: int
    first_frames: int | None
    frames: Iterator[Frame]
    partition_obstacle: str | None = None

    @property
    def peak(self) -> float:
        """Largest level of a sample: 255, 1023, ..."""
        return float(2**self.bit_depth - 1)

    @property
    def format(self) -> tuple[int, int, int]:
        """Width, height and bits a sample: what two clips must share to be compared."""
        return self.width, self.height, self.bit_depth


@contextmanager
def open_luma(path: Path, first_frames: int | None = None, with_partitions: bool = False) -> Iterator[LumaClip]:
    """Open a video, of which no more than the first frames are read, with their partitions if that is asked for.

    Raises:
        InputError: it can't be read as a video, or, while its frames are read, they change their size.
    """
    with open_source(path, limit=first_frames, with_partitions=with_partitions) as source:
        info = source.info
        frames, obstacle = steady_frames(source), source.partition_obstacle
        yield LumaClip(path, info.width, info.height, info.bit_depth, first_frames, frames, obstacle)


def refuse_other_format(clip: LumaClip, pristine: LumaClip) -> None:
    """Check that a clip can be compared with its pristine original.

    Raises:
        InputError: width, height or bit depth differ.
    """
    if clip.format != pristine.format:
        (width, height, bits), (its_width, its_height, its_bits) = clip.format, pristine.format
        raise InputError(
            f"{clip.path} is {width}x{height} at {bits} bit, {pristine.path} {its_width}x{its_height} at {its_bits} "
            "bit; give the very original that was compressed."
        )
