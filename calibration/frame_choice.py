"""Which frames a network is calibrated on: drawn by seed, spread over codings, motion and brightness.

brightness ^  . | .:| :       the clips' frames fall into 3 x 3 cells of equally many; every coding draws from each
           |  : |:: | .       cell in turn, and within a cell from the clip that was drawn from least
           +-------------> motion
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, zip_longest
from random import Random
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from calibration.samples import Sample, read_samples
from cvqe.errors import CvqeError
from cvqe.manifest import Manifest
from training.evaluation.cases import Case
from training.evaluation.luma_clip import LumaClip, open_luma

THUMBNAIL_PX = 16  # side of the squares that a thumbnail's pixels are means of
THIRDS = 3
T = TypeVar("T")


class ShortageError(CvqeError):
    """Fewer frames than were asked for."""


@dataclass(frozen=True)
class Candidate:
    """A frame of a pristine clip: its mean luma, and how far its thumbnail is from the last frame's, in levels."""

    clip: str
    frame: int
    brightness: float
    motion: float


@dataclass(frozen=True)
class Choice:
    """A frame of a coded clip that was drawn."""

    case: Case
    frame: int


def choose_frames(
    cases: Sequence[Case], n_frames: int, seed: int, margin: int = 0, option: str = "--frames"
) -> list[Choice]:
    """Draw exactly n_frames frames, none of them twice; the same for the same clips and seed.

    Args:
        cases: coded clips; every (configuration, QP) among them gets its share.
        margin: frames at both ends of a clip that are not drawn: windows around them repeat frames.
        option: what asked for that many, for the error.

    Raises:
        ShortageError: the clips hold fewer frames.
        InputError: a clip can't be read.
    """
    found = {case.clip: candidates(case, margin) for case in {case.clip: case for case in cases}.values()}
    n_there = sum(len(found[case.clip]) for case in cases)
    if n_there < n_frames:
        raise ShortageError(
            f"{n_frames} frames were asked for, and {len(cases)} coded clips hold {n_there} that can be drawn; fewer "
            f"are never taken unsaid. Add clips, or ask for as many as there are:  {option} {n_there}"
        )
    random = Random(seed)
    codings = list(dict.fromkeys(case.coding for case in cases))
    random.shuffle(codings)
    used: Counter[str] = Counter()
    drawn = [_drawn([case for case in cases if case.coding == coding], found, random, used) for coding in codings]
    chosen = list(islice(_in_turn(drawn), n_frames))
    assert len(chosen) == n_frames, (len(chosen), n_frames)
    return chosen


def read_choices(choices: Sequence[Choice], manifest: Manifest) -> Iterator[Sample]:
    """Yield the windows of frames that were drawn, clip by clip; exactly as many.

    Raises:
        InputError: as read_samples.
    """
    of_case: dict[Case, list[int]] = {}
    for choice in choices:
        of_case.setdefault(choice.case, []).append(choice.frame)
    for case, frames in of_case.items():
        yield from read_samples(case, frames, manifest)


def candidates(case: Case, margin: int) -> list[Candidate]:
    """Measure the frames of a pristine clip, from the second on."""
    with open_luma(case.pristine) as clip:
        thumbnails = [thumbnail(clip, luma.luma) for luma in clip.frames]
    return [
        Candidate(case.clip, number, float(after.mean()), float(np.abs(after - before).mean()))
        for number, (before, after) in enumerate(pairwise(thumbnails), 1)
        if margin <= number < len(thumbnails) - margin
    ]


def thumbnail(clip: LumaClip, luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the means of a frame's squares of THUMBNAIL_PX, in levels of 8 bits; what sticks out is left out."""
    side = min(THUMBNAIL_PX, clip.width, clip.height)
    rows, columns = clip.height // side, clip.width // side
    whole = luma[: rows * side, : columns * side].astype(np.float32)
    means: NDArray[np.float32] = whole.reshape(rows, side, columns, side).mean((1, 3))
    return means


def _drawn(
    cases: Sequence[Case], found: dict[str, list[Candidate]], random: Random, used: Counter[str]
) -> Iterator[Choice]:
    """Draw all frames of one coding, cell by cell in turn."""
    case_of = {case.clip: case for case in cases}
    frames = [each for clip in sorted(case_of) for each in found[clip]]
    cells = [list(cell) for cell in _cells(frames)]
    random.shuffle(cells)
    for cell in cells:
        random.shuffle(cell)
    for candidate in _in_turn([_fairly(cell, used) for cell in cells]):
        yield Choice(case_of[candidate.clip], candidate.frame)


def _fairly(cell: list[Candidate], used: Counter[str]) -> Iterator[Candidate]:
    """Empty a cell, from the clip that was drawn from least."""
    while cell:
        candidate = min(cell, key=lambda each: used[each.clip])
        cell.remove(candidate)
        used[candidate.clip] += 1
        yield candidate


def _cells(frames: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """Part frames into thirds by motion, and each of those by brightness."""
    for of_motion in _thirds(frames, lambda each: each.motion):
        yield from _thirds(of_motion, lambda each: each.brightness)


def _thirds(frames: Sequence[Candidate], by: Callable[[Candidate], float]) -> list[list[Candidate]]:
    ordered = sorted(frames, key=lambda each: (by(each), each.clip, each.frame))
    ends = [len(ordered) * part // THIRDS for part in range(THIRDS + 1)]
    return [ordered[start:end] for start, end in pairwise(ends)]


def _in_turn(sources: Sequence[Iterator[T]]) -> Iterator[T]:
    """Yield one of each source in turn, until all are empty."""
    rows = zip_longest(*sources)
    return (each for row in rows for each in row if each is not None)
