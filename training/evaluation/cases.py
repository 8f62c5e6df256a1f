"""What is measured: each clip, coded in each configuration at each QP.

CLIPS/{clip}.mkv                                the pristine originals; MANIFEST.json there or above names classes
CODED/{configuration}_qp{qp}/{clip}.mkv         as training/compress.py writes them
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from cvqe.errors import InputError, UsageError
from training.clip_list import MANIFEST, find_clips
from training.coding import compress_options

# pixels of a frame in the classes of HEVC's common test conditions (JCTVC-L1100); E is 720p, B 1080p
SIZE_CLASSES = {"D": 416 * 240, "C": 832 * 480, "E": 1280 * 720, "B": 1920 * 1080, "A": 2560 * 1600}
SINGLE_FILE = "file"  # the configuration of a coded file that was named itself


@dataclass(frozen=True)
class Case:
    """One coded clip and its original; `qp` is None where nobody said it."""

    clip: str
    configuration: str
    qp: int | None
    pristine: Path
    coded: Path
    gt_class: str = ""

    @property
    def coding(self) -> str:
        """Configuration and QP in a word, as training/compress.py names folders."""
        return self.configuration if self.qp is None else f"{self.configuration}_qp{self.qp}"

    def version_in(self, folder: Path) -> Path:
        """Return where another version of this coded clip is, in a folder laid out like CODED."""
        return folder / self.coding / self.coded.name


def find_cases(
    clips: Path, coded: Path, configurations: Sequence[str], qps: Sequence[int], only: Sequence[str] = ()
) -> list[Case]:
    """List the cases clip by clip, so that networks of one frame size follow each other.

    Args:
        clips, coded: two folders as above, or two files: one case without configuration and QP.
        only: the clips to take, by patterns of names as in a shell; all when empty.

    Raises:
        InputError: a coded version is missing, or there is no clip.
        UsageError: a pattern of `only` matches no clip, or one of the two is a file and the other a folder.
    """
    if clips.is_file() != coded.is_file():
        raise UsageError(f"{clips} and {coded} must be two folders of clips, or two files of one clip.")
    if clips.is_file():
        return [Case(clips.stem, SINGLE_FILE, None, clips, coded)]
    classes = load_classes(clips)
    cases = [
        Case(
            source.stem,
            configuration,
            qp,
            source,
            coded / f"{configuration}_qp{qp}" / f"{source.stem}.mkv",
            classes.get(source.stem, ""),
        )
        for source in _sources(clips, only)
        for configuration in configurations
        for qp in qps
    ]
    _refuse_missing(cases, clips, coded)
    return cases


def load_classes(clips: Path) -> dict[str, str]:
    """Read the clips' ground-truth classes from MANIFEST.json in the folder or the one above; empty without it.

    Raises:
        InputError: the manifest does not parse.
    """
    manifest = next((path for path in (clips / MANIFEST, clips.resolve().parent / MANIFEST) if path.is_file()), None)
    if manifest is None:
        return {}
    try:
        return {entry["name"]: entry.get("gt_class", "") for entry in json.loads(manifest.read_text())["clips"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{manifest} can't be used ({type(error).__name__}: {error}); "
            'expected {"clips": [{"name": "foreman_cif_352x288", "gt_class": "A"}]}.'
        ) from error


def size_class(width: int, height: int) -> str:
    """Name the class of HEVC's common test conditions that is nearest in pixels, by ratio: 352x288 is D, 720x576 C."""
    return min(SIZE_CLASSES, key=lambda name: abs(math.log(width * height / SIZE_CLASSES[name])))


def _sources(clips: Path, only: Sequence[str]) -> list[Path]:
    found = find_clips(clips)
    for pattern in only:
        if not any(fnmatchcase(source.stem, pattern) for source in found):
            names = ", ".join(source.stem for source in found)
            raise UsageError(f"--only {pattern} matches no clip of {clips}; there are {names}.")
    return [source for source in found if not only or any(fnmatchcase(source.stem, pattern) for pattern in only)]


def _refuse_missing(cases: Sequence[Case], clips: Path, coded: Path) -> None:
    missing = [case for case in cases if not case.coded.is_file()]
    if missing:
        first = missing[0]
        raise InputError(
            f"{first.coded} is missing, and {len(missing) - 1} more of {len(cases)}. Make them:  python "
            f"training/compress.py {clips} {compress_options(first.configuration)} --qp {first.qp} --output {coded}"
        )
