"""Which clips of a folder are used: found by their endings, left out by name or licence."""

import json
import logging
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from cvqe.errors import InputError, UsageError

log = logging.getLogger(__name__)

SUFFIXES = (".mkv", ".mp4", ".y4m", ".mov", ".avi", ".webm")
MANIFEST = "MANIFEST.json"
# CC BY-NC and CC BY-NC-SA in their spellings, or the word itself
NONCOMMERCIAL = re.compile(r"\bBY[-_ ]NC\b|\bnon-?\s?commercial\b", re.IGNORECASE)


def find_clips(folder: Path, exclude: Sequence[str] = (), exclude_noncommercial: bool = False) -> list[Path]:
    """List the clips of a folder by name; those left out are said in the log.

    Args:
        folder: looked at without its subfolders.
        exclude: patterns of names without ending, as in a shell: `kitti_*`.
        exclude_noncommercial: leave out what MANIFEST.json, in the folder or the one above, gives a licence for
            non-commercial use only.

    Raises:
        InputError: no folder, no clip in it, none left, two of one name, a manifest that can't be read or does not
            know a clip whose licence is asked for.
        UsageError: a pattern matches no clip.
    """
    clips = _clips_in(folder)
    names = _matching(clips, exclude)
    if exclude_noncommercial:
        names |= _noncommercial([clip for clip in clips if clip.stem not in names], folder)
    kept = [clip for clip in clips if clip.stem not in names]
    if not kept:
        raise InputError(f"all {len(clips)} clips of {folder} are left out; exclude fewer.")
    if names:
        log.info("left out: %s", ", ".join(sorted(names)))
    return kept


def licences(folder: Path) -> dict[Path, str]:
    """Read the licence of every clip from MANIFEST.json in a folder or the one above it, by the clip's full path.

    The file holds {"clips": [{"file": path from the manifest, "licence": text, ...}, ...]}.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    manifest = next((path for path in _manifests(folder) if path.is_file()), None)
    if manifest is None:
        raise InputError(
            f"{folder} has no {MANIFEST}, nor has the folder above it, so the clips' licences are unknown; "
            f"leave clips out by name instead:  --exclude 'kitti_*'"
        )
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))["clips"]
        return {(manifest.parent / entry["file"]).resolve(): str(entry["licence"]) for entry in entries}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{manifest} can't be used ({type(error).__name__}: {error}); "
            f'expected {{"clips": [{{"file": "train/a.mkv", "licence": "CC BY 4.0"}}]}}.'
        ) from error


def _manifests(folder: Path) -> tuple[Path, Path]:
    whole = folder.resolve()
    return whole / MANIFEST, whole.parent / MANIFEST


def _clips_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the folder of the pristine clips.")
    clips = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not clips:
        raise InputError(f"{folder} holds no clip ({' '.join(SUFFIXES)}); give the folder of the pristine clips.")
    _refuse_twins(clips)
    return clips


def _refuse_twins(clips: list[Path]) -> None:
    first_of: dict[str, Path] = {}
    for clip in clips:
        first = first_of.setdefault(clip.stem, clip)
        if first is not clip:
            raise InputError(
                f"{first} and {clip.name} would both be coded to {clip.stem}.mkv; rename or remove one of them."
            )


def _matching(clips: list[Path], patterns: Sequence[str]) -> set[str]:
    names: set[str] = set()
    for pattern in patterns:
        matching = {clip.stem for clip in clips if fnmatchcase(clip.stem, pattern)}
        if not matching:
            raise UsageError(f"--exclude {pattern} matches none of the {len(clips)} clips, as {clips[0].stem}.")
        names |= matching
    return names


def _noncommercial(clips: list[Path], folder: Path) -> set[str]:
    licence_of = licences(folder)
    for clip in clips:
        if clip.resolve() not in licence_of:
            raise InputError(
                f"{clip} is not in {MANIFEST}, so its licence is unknown; add it there, or:  --exclude {clip.stem}"
            )
    return {clip.stem for clip in clips if NONCOMMERCIAL.search(licence_of[clip.resolve()])}
