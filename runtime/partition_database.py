"""The partitions of many clips, read and kept: a file for each, in the form of runtime/hevc/database.py."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cvqe.errors import CvqeError, ExitCode, InputError, UsageError
from cvqe.frame import Frame
from cvqe.partition import Partition
from runtime.hevc.database import save_partitions
from runtime.partition_clip import check_parser, open_clip

VIDEO_ENDINGS = frozenset(
    [
        ".265",
        ".avi",
        ".bin",
        ".bit",
        ".flv",
        ".h265",
        ".hevc",
        ".m2ts",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mts",
        ".ts",
        ".webm",
        ".y4m",
    ]
)
_NOT_READ = "the picture is damaged, or its partition could not be read"
WRITTEN, KEPT, FAILED = "written", "kept", "failed"


@dataclass(frozen=True)
class Job:
    """One clip, and the file its partitions go into."""

    clip: Path
    target: Path


@dataclass(frozen=True)
class Entry:
    """What became of one clip: written, kept as it is newer than the clip, or failed; and what is wrong."""

    clip: str
    file: str
    action: str
    n_pictures: int | None = None
    n_whole: int | None = None
    reason: str | None = None

    def __str__(self) -> str:
        if self.action == FAILED:
            return f"{self.reason}"  # which begins with the clip
        counts = "" if self.n_pictures is None else f"  {self.n_pictures} pictures, {self.n_whole} read as a whole"
        return f"{self.file}  {self.action}{counts}{f'  ({self.reason})' if self.reason else ''}"

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return dict(vars(self))


def jobs_of(sources: Sequence[Path], folder: Path) -> list[Job]:
    """List clips: files as they are, and of folders all that is named like a video; their own folders are kept.

    Raises:
        InputError: there is nothing of a name, or no video in a folder.
        UsageError: two clips would go into one file.
    """
    jobs = [job for source in sources for job in _jobs(source, folder)]
    clips: dict[Path, Path] = {}
    for job in jobs:
        other = clips.setdefault(job.target, job.clip)
        if other != job.clip:
            raise UsageError(f"{other} and {job.clip} would both go into {job.target}; write them into two folders")
    return jobs


def write_database(
    jobs: Sequence[Job],
    threads: int = 0,
    limit: int | None = None,
    overwrite: bool = False,
    on_entry: Callable[[Entry], None] = lambda entry: None,
) -> list[Entry]:
    """Read and write one clip after the other; one that can't be read leaves the others alone.

    Args:
        jobs: as jobs_of gives them.
        threads, limit: as open_source's, for each clip.
        overwrite: read again also what was read since the clip was changed.
        on_entry: called after each clip.

    Raises:
        CvqeError: Numba is missing, or a file can't be written.
    """
    check_parser()
    entries = []
    for job in jobs:
        entries.append(_entry(job, threads, limit, overwrite))
        on_entry(entries[-1])
    return entries


def exit_code(entries: Sequence[Entry]) -> ExitCode:
    """Return the worst that happened: some clips or pictures were not read, or not a single clip was."""
    if all(entry.action == FAILED for entry in entries):
        return ExitCode.UNREADABLE_INPUT
    is_whole = all(entry.reason is None and entry.n_pictures == entry.n_whole for entry in entries)
    return ExitCode.DONE if is_whole else ExitCode.PARTIAL


def read_partitions(clip: Path, threads: int = 0, limit: int | None = None) -> tuple[list[Partition], str | None]:
    """Read one partition for every frame, in the order of showing; maps of zeros where there is none.

    Returns:
        The partitions, and a sentence where pictures may be missing.

    Raises:
        CvqeError: the clip can't be read, or changes in size.
        InputError: not one frame has a partition.
    """
    with open_clip(clip, threads, limit) as source:
        found = [item.partition for item in source.items() if isinstance(item, Frame)]
        damage = f"{source.n_damaged} packets or pictures are damaged" if source.n_damaged else None
        note = source.truncated_note or damage
    known = next((partition for partition in found if partition is not None), None)
    if known is None:
        raise InputError(f"{clip}: not one of its {len(found)} pictures has a partition that can be read; is it whole?")
    return [_unread(known) if partition is None else partition for partition in found], note


def _jobs(source: Path, folder: Path) -> Iterator[Job]:
    if not source.is_dir():
        yield Job(source, folder / f"{source.stem}.npz")
        return
    clips = sorted(path for path in source.rglob("*") if path.suffix.lower() in VIDEO_ENDINGS and path.is_file())
    if not clips:
        raise InputError(f"{source} holds no video (looked for {' '.join(sorted(VIDEO_ENDINGS))})")
    for clip in clips:
        yield Job(clip, folder / clip.relative_to(source).parent / f"{clip.stem}.npz")


def _entry(job: Job, threads: int, limit: int | None, overwrite: bool) -> Entry:
    entry = Entry(str(job.clip), str(job.target), WRITTEN)
    if not overwrite and _is_newer(job.target, job.clip):
        return replace(entry, action=KEPT)
    try:
        partitions, note = read_partitions(job.clip, threads, limit)
    except CvqeError as error:
        return replace(entry, action=FAILED, reason=str(error))
    _save(partitions, job.target)
    n_whole = sum(partition.is_whole for partition in partitions)
    return replace(entry, n_pictures=len(partitions), n_whole=n_whole, reason=note)


def _is_newer(target: Path, clip: Path) -> bool:
    return target.exists() and clip.exists() and target.stat().st_mtime >= clip.stat().st_mtime


def _save(partitions: Sequence[Partition], target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_partitions(partitions, target)
    except OSError as error:
        raise CvqeError(f"{target} can't be written ({error.strerror}); give another folder:  --database") from error


def _unread(like: Partition) -> Partition:
    nothing = np.zeros_like(like.transform)
    return Partition(nothing, nothing, nothing, nothing.astype(np.int8), like.window, "", errors=(_NOT_READ,))
