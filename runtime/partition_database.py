"""The partitions of many clips, read and kept: a file for each, in the form of runtime/hevc/database.py."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cvqe.errors import CvqeError, ExitCode, InputError, UsageError
from cvqe.frame import Frame
from cvqe.partition import Partition
from runtime.decoder import Source
from runtime.hevc.database import Contents, load_contents, save_partitions
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
    """What became of one clip: written; kept as it is newer than the clip and holds all that is asked for; or failed.

    Attributes:
        n_pictures, n_whole: in the file, also in one that was kept.
        reason: of the failure, or a sentence where pictures may be missing.
    """

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
        overwrite: read again also what holds, since the clip was changed, as many pictures as are asked for.
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
    """Return the worst there is, kept files included: some clips or pictures are not read, or not a single clip is."""
    if all(entry.action == FAILED for entry in entries):
        return ExitCode.UNREADABLE_INPUT
    is_whole = all(entry.reason is None and entry.n_pictures == entry.n_whole for entry in entries)
    return ExitCode.DONE if is_whole else ExitCode.PARTIAL


def with_places_kept(found: Iterable[Partition | None], clip: Path) -> Iterator[Partition]:
    """Yield a partition for every picture of a clip: maps of zeros, and an error, where there is none.

    Raises:
        InputError: at the end, when there was not a single one.
    """
    unread: Partition | None = None
    n_waiting = 0  # pictures before the first that has a partition
    for partition in found:
        if unread is None:
            if partition is None:
                n_waiting += 1
                continue
            unread = _unread(partition)
            yield from [unread] * n_waiting
        yield partition or unread
    if unread is None:
        raise InputError(f"{clip}: not one of its {n_waiting} pictures has a partition that can be read; is it whole?")


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
    try:
        kept = None if overwrite else _kept(job, limit)
        contents = kept or _write(job, threads, limit)
    except CvqeError as error:
        return replace(entry, action=FAILED, reason=str(error))
    except OSError as error:
        raise CvqeError(
            f"{job.target} can't be written ({error.strerror}); give another folder:  --database"
        ) from error
    action = KEPT if kept else WRITTEN
    return replace(entry, action=action, n_pictures=contents.n_pictures, n_whole=contents.n_whole, reason=contents.note)


def _kept(job: Job, limit: int | None) -> Contents | None:
    """Return what a file holds that is newer than its clip, unless reading again could bring more."""
    target, clip = job.target, job.clip
    if not (target.exists() and clip.exists() and target.stat().st_mtime >= clip.stat().st_mtime):
        return None
    try:
        contents = load_contents(target)
    except InputError as error:
        raise InputError(f"{clip}: {error} Replace it:  --overwrite") from error
    return contents if contents and contents.suffices(limit) else None


def _write(job: Job, threads: int, limit: int | None) -> Contents:
    """Read a clip picture by picture into its file."""
    with open_clip(job.clip, threads, limit) as source:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        found = (item.partition for item in source.items() if isinstance(item, Frame))
        return save_partitions(with_places_kept(found, job.clip), job.target, limit, lambda: _note(source))


def _note(source: Source) -> str | None:
    damage = f"{source.n_damaged} packets or pictures are damaged" if source.n_damaged else None
    return source.truncated_note or damage


def _unread(like: Partition) -> Partition:
    nothing = np.zeros_like(like.transform)
    return Partition(nothing, nothing, nothing, nothing.astype(np.int8), like.window, "", errors=(_NOT_READ,))
