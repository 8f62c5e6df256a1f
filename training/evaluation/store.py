"""The measurements of an output folder, a file each: a killed evaluation goes on where it was.

OUTPUT/measured/{configuration}_qp{qp}/{clip}/{subject}.json           all frames
OUTPUT/measured/{configuration}_qp{qp}/{clip}/{subject}.first8.json    --frames 8
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cvqe.errors import InputError
from cvqe.file_digest import sha256_of
from cvqe.whole_file import write_whole
from training.evaluation.cases import Case
from training.evaluation.measurement import Measurement
from training.evaluation.subject import Subject


@dataclass(frozen=True)
class Store:
    """Measurements below one folder."""

    folder: Path

    def find(self, case: Case, subject: Subject, first_frames: int | None, with_vmaf: bool) -> Measurement | None:
        """Return what was measured before: on these very files, with this very network, and all that is asked for.

        Raises:
            InputError: the file with it does not parse.
        """
        path = self.path(case, subject.name, first_frames)
        if not path.is_file():
            return None
        found = load(path)
        files = (sha256_of(case.pristine), sha256_of(case.coded))
        is_same = (found.case.pristine_sha256, found.case.coded_sha256) == files and found.subject == subject.facts(
            case
        )
        return found if is_same and (found.vmaf or not with_vmaf) else None

    def save(self, case: Case, measurement: Measurement) -> Path:
        """Write a measurement, in the place of an older one of the same name."""
        path = self.path(case, measurement.subject.name, measurement.case.first_frames)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(measurement.to_json()).encode())
        return path

    def path(self, case: Case, subject_name: str, first_frames: int | None) -> Path:
        """Return where a measurement is kept."""
        ending = "json" if first_frames is None else f"first{first_frames}.json"
        return self.folder / "measured" / case.coding / case.clip / f"{file_stem(subject_name)}.{ending}"

    def all(self) -> Iterator[Measurement]:
        """Yield everything that was measured, of this run and of earlier ones.

        Raises:
            InputError: a file does not parse.
        """
        for path in sorted((self.folder / "measured").glob("*/*/*.json")):
            yield load(path)


def load(path: Path) -> Measurement:
    """Read one measurement.

    Raises:
        InputError: it does not parse.
    """
    try:
        return Measurement.from_json(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no measurement of this version ({error!r}); remove it, and it is made anew."
        ) from error


def file_stem(name: str) -> str:
    """Return a subject's name as part of a file's: letters, digits and -.= as they are, all else one underscore."""
    return re.sub(r"[^\w.=+-]+", "_", name)
