"""One row of a visual comparison: the same square of one frame, decoded, by every network, and original."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from benchmarks.crop_place import CropPlace
from cvqe.errors import InputError, UsageError
from cvqe.metrics import psnr_db
from training.evaluation.cases import Case
from training.evaluation.luma_clip import open_luma
from training.evaluation.subject import Decoded, Facts, Subject

DECODED, ORIGINAL = "decoded", "original"
PEAK = 255.0

Plane = NDArray[Any]


@dataclass(frozen=True)
class Crop:
    """One column: luma [SIDE_PX, SIDE_PX], how near to the original it is, and what made it."""

    title: str
    plane: Plane
    psnr_db: float
    facts: Facts


@dataclass(frozen=True)
class CropRow:
    """All columns, the decoded one first and the original last, and the whole decoded frame [H, W]."""

    place: CropPlace
    coding: str
    frame: Plane
    crops: Sequence[Crop]

    def gain_db(self, crop: Crop) -> float:
        """Return what a column gained over the decoded one."""
        return crop.psnr_db - self.crops[0].psnr_db


def crop_row(place: CropPlace, case: Case, coding: str, networks: Mapping[str, Subject]) -> CropRow:
    """Run every network over a coded clip up to the frame that is looked at.

    Args:
        case: of the clip that the place is in.
        coding: how the clip was coded, for a reader.
        networks: by title.

    Raises:
        UsageError: the place is not in the clip.
        InputError: a clip can't be read, or has more than 8 bits.
        CvqeError: a network can't run.
    """
    original = plane_of(Decoded(), replace(case, coded=case.pristine), place)
    place.refuse_outside(*original.shape)
    crops, frame = [], original
    for title, subject in {DECODED: Decoded(), **networks}.items():
        plane = plane_of(subject, case, place)
        frame = plane if title == DECODED else frame
        crops.append(_crop(title, plane, original, place, subject.facts(case)))
    crops.append(_crop(ORIGINAL, original, original, place, Facts(ORIGINAL)))
    return CropRow(place, coding, frame, crops)


def plane_of(subject: Subject, case: Case, place: CropPlace) -> Plane:
    """Return the luma [H, W] that a subject makes of one frame; it sees all frames before, as in a stream.

    Raises:
        UsageError: the clip ends before that frame.
        InputError: it has more than 8 bits.
    """
    with open_luma(case.coded, with_partitions=subject.needs_partitions(case)) as clip:
        if clip.bit_depth != 8:
            raise InputError(f"{case.coded} has {clip.bit_depth} bits; the figure shows 8-bit clips.")
        shown = next(islice(subject.enhance(case, clip), place.frame, None), None)
        if shown is None:
            raise UsageError(f"--row {place}: {case.coded} ends before frame {place.frame}; frames count from 0.")
        return shown.luma.copy()


def _crop(title: str, plane: Plane, original: Plane, place: CropPlace, facts: Facts) -> Crop:
    square = plane[place.area]
    return Crop(title, square, psnr_db(original[place.area], square, PEAK), facts)
