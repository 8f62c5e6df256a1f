"""Where the enhanced video goes: its name, its container, and whether it may be written there at all."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from cvqe.errors import CvqeError, UsageError
from runtime.resume_record import n_frames_kept

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
}
_LONGEST_NAME_BYTES = 255  # of nearly every file system
_KEPT_BY_DEFAULT = {".mp4", ".m4v", ".mov", ".mkv", ".ts", ".m2ts", ".mts"}


def default_output(source: Path) -> Path:
    """Name the output after the source, beside it: in.mp4 gives in.enhanced.mp4.

    Containers that can't hold what is written (WebM, AVI, raw streams) give .mkv.
    """
    suffix = source.suffix if source.suffix.lower() in _KEPT_BY_DEFAULT else ".mkv"
    return source.with_name(f"{source.stem}.enhanced{suffix}")


def container_format(output: Path) -> str:
    """Give FFmpeg's name for the container that a file's ending asks for.

    Raises:
        UsageError: no container we write has this ending.
    """
    try:
        return CONTAINERS[output.suffix.lower()]
    except KeyError:
        endings = ", ".join(CONTAINERS)
        raise UsageError(
            f"{output.name} ends in {output.suffix or 'nothing'}; expected one of {endings}. "
            f"Type:  -o {output.with_suffix('.mkv').name}"
        ) from None


def partial_path(output: Path) -> Path:
    """Name the file that is written until it is done: out.mp4 gives out.partial.mp4."""
    return output.with_name(f"{output.stem}.partial{output.suffix}")


def check_output(
    source: Path | None, output: Path, overwrite: bool = False, reference: Path | None = None, resume: bool = False
) -> None:
    """Refuse an output that can't or mustn't be written, before any work is done.

    `source` is None where no file is read. The partial name is looked at too: an earlier run may have left something
    there, which `resume` goes on with.

    Raises:
        UsageError: the ending is unknown, the output is the source or the reference, or it exists and may not be
            overwritten.
        CvqeError: the folder is missing or can't be written to.
    """
    container_format(output)
    partial = partial_path(output)
    _check_name(output, f"{partial.name}.lock")
    advice = output.with_name("out.mkv") if source is None else default_output(source)
    for kept, what in ((source, "the input itself"), (reference, "the reference")):
        if kept is not None:
            _refuse_same(kept, output, partial, what, advice)
    _check_folder(output)
    if output.is_dir():
        raise UsageError(f"{output} is a folder; give the name of a file in it:  -o {output / advice.name}")
    if partial.is_dir():
        raise UsageError(f"{partial} is a folder, and the output is written under that name first; choose another -o")
    if not overwrite:
        _refuse_existing(output, partial, resume)


def check_free(patterns: Sequence[Path], kept: Sequence[Path | None], overwrite: bool) -> None:
    """Refuse to write files that are there, or into a folder that takes none.

    Args:
        patterns: of the files that may be written.
        kept: the source and the reference, which are never written over.
        overwrite: replace others.

    Raises:
        UsageError, CvqeError: see check_output.
    """
    for pattern in patterns:
        _check_folder(pattern)
        for path in sorted(pattern.parent.glob(pattern.name)):
            if any(each and each.exists() and path.samefile(each) for each in kept):
                raise UsageError(f"{path} is read, and would be written; give the output another name or folder")
            if not overwrite:
                raise _exists(path)


def _refuse_existing(output: Path, partial: Path, resume: bool) -> None:
    n_kept = n_frames_kept(output)
    if n_kept and not (resume or output.exists()):
        raise UsageError(
            f"{n_kept} frames of {output} are kept from a run that was stopped; go on with the same command and "
            f"--resume, or begin anew:  --overwrite"
        )
    for path in (output,) if resume else (output, partial):
        if path.exists():
            raise _exists(path)


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists; give another name with -o, or replace it:  --overwrite")


def _refuse_same(kept: Path, output: Path, partial: Path, what: str, advice: Path) -> None:
    for path in (output, partial):
        if path.exists() and kept.exists() and path.samefile(kept):
            written = "" if path == output else f", under which {output.name} is written first"
            raise UsageError(f"{path} is {what}{written}; give the output another name:  -o {quote(str(advice))}")


def _check_name(output: Path, longest: str) -> None:
    """Refuse a name that has no room for what is added to it on the way."""
    n_over = len(os.fsencode(longest)) - _LONGEST_NAME_BYTES
    if n_over > 0:
        raise UsageError(f"{output.name} is too long by {n_over} bytes for a file that is written; shorten it with -o")


def _check_folder(output: Path) -> None:
    folder = output.absolute().parent
    if not folder.is_dir():
        raise CvqeError(f"{folder}: no such folder to write {output.name} into; make it first:  mkdir -p '{folder}'")
    try:  # permissions alone don't tell: root has them all, and a disk may be read-only
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CvqeError(
            f"{folder} can't be written to ({error.strerror}); give a folder of your own:  -o ~/{output.name}"
        ) from error
