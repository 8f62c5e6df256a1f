"""What a chart of gain against time shows, put together from rows of the committed results."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from benchmarks.network_speed import BEST
from benchmarks.network_titles import title_of
from cvqe.errors import InputError
from training.evaluation.network_windows import GRID

PANELS = {"ldp-hm": "low-delay", "ai-tu3": "all-intra"}
QP = "37"
WIDTH, HEIGHT = "416", "240"
SAME_DB = 0.005  # decoded video whose mean PSNR is nearer is taken for the same frames

Row = dict[str, str]


@dataclass(frozen=True)
class Gained:
    """What a network gains in the mean over clips.

    Attributes:
        labels: what its row of times may be called.
        parameters: of which its row of times must tell as many; empty where its label tells enough.
    """

    title: str
    gain_db: float
    labels: tuple[str, ...]
    parameters: str = ""
    is_preset: bool = False


@dataclass(frozen=True)
class Point:
    """A network that was measured and timed: milliseconds a frame of 416x240, and the gain."""

    title: str
    ms: float
    gain_db: float
    is_preset: bool = False


@dataclass(frozen=True)
class Panel:
    """All networks of one coding.

    Attributes:
        budget: what the networks of the study were trained for, in words.
        measured_on: the clips that gains are means over, in words.
        untimed: titles of networks that nobody has timed; no point shows them.
    """

    coding: str
    points: Sequence[Point]
    budget: str
    measured_on: str
    untimed: Sequence[str]


def rows_of(path: Path, made_by: str) -> list[Row]:
    """Read a results file.

    Args:
        made_by: the command that writes it.

    Raises:
        InputError: it can't be read.
    """
    try:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror}). It is made by:  {made_by}; the README's section on which "
            "network to choose tells how."
        ) from error


def panel(coding: str, study: Iterable[Row], speed: Iterable[Row], presets: Iterable[Row]) -> Panel:
    """Put together what was gained and how long it takes.

    Args:
        study: rows of training/studies.py, one a variant.
        speed: rows of table4.py; a label is a variant's name, alone or with its coding (ai-tu3/dcad), or a preset's.
        presets: rows of training/evaluate.py, one a clip; a subject's first word is its label.

    Raises:
        InputError: nothing of this coding was both studied and timed.
    """
    trained = [row for row in study if (row["coding"], row["qp"]) == (coding, QP) and row["guide"] != GRID]
    shipped = _by_label(row for row in presets if (row["configuration"], row["qp"]) == (coding, QP))
    timed = [row for row in speed if (row["width"], row["height"], row["way"]) == (WIDTH, HEIGHT, BEST)]
    points, untimed = list[Point](), list[str]()
    for gained in [*map(_of_variant, trained), *map(_of_preset, shipped.values())]:
        ms = _ms(gained, timed)
        if ms is None:
            untimed.append(gained.title)
        else:
            points.append(Point(gained.title, ms, gained.gain_db, gained.is_preset))
    if all(point.is_preset for point in points):
        raise InputError(f"no network of {coding} at QP {QP} is both in the study and timed at {WIDTH}x{HEIGHT}.")
    return Panel(coding, points, _budget(trained), "\n".join(_measured_on(trained[0], shipped)), untimed)


def _of_variant(row: Row) -> Gained:
    name = row["variant"]
    return Gained(title_of(name), float(row["gain_db"]), (name, f"{row['coding']}/{name}"), row["parameters"])


def _of_preset(rows: Sequence[Row]) -> Gained:
    label, precision = _label(rows[0]), rows[0]["precision"]
    title = f"{label.removesuffix(f'_{precision}')} {precision}"
    return Gained(title, _mean(rows, "delta_psnr_db"), (label,), is_preset=True)


def _ms(gained: Gained, timed: Iterable[Row]) -> float | None:
    """Return a network's time; one of another width has its label, too, but not its parameters."""
    own = [row for row in timed if row["label"] in gained.labels and row["median_ms"]]
    return next((float(row["median_ms"]) for row in own if gained.parameters in ("", row["parameters"])), None)


def _by_label(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the clips of every preset; the decoded video and FFmpeg's filters are none."""
    networks = sorted((row for row in rows if row["precision"]), key=_label)
    return {label: list(own) for label, own in groupby(networks, key=_label)}


def _label(row: Row) -> str:
    return row["subject"].split()[0]


def _budget(trained: Sequence[Row]) -> str:
    counts = sorted({int(row["steps"]) for row in trained})
    n_steps = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
    side, batch = trained[0]["patch_px"], trained[0]["batch"]
    return f"{n_steps} steps of {batch} patches of {side}x{side}"


def _measured_on(studied: Row, shipped: dict[str, list[Row]]) -> Iterator[str]:
    """Name the study's clips and frames, and the presets that were measured on others."""
    decoded_db = float(studied["psnr_db_decoded"])
    others_db = {
        label: own_db for label, rows in shipped.items() if not _is_same(own_db := _decoded_db(rows), decoded_db)
    }
    # where clips are of unequal length, the study's own row has no number of frames
    told = (rows[0]["first_frames"] for label, rows in shipped.items() if label not in others_db)
    frames = studied["frames"] or next(told, "")
    yield f"mean of {studied['n_clips']} clips" + (f", their first {frames} frames" if frames else "")
    for label, own_db in others_db.items():
        yield f"{label}: other frames, decoded at {own_db:.2f} dB instead of {decoded_db:.2f}"


def _is_same(one_db: float, other_db: float) -> bool:
    return abs(one_db - other_db) <= SAME_DB


def _decoded_db(rows: Iterable[Row]) -> float:
    return _mean(rows, "psnr_db_decoded")


def _mean(rows: Iterable[Row], column: str) -> float:
    return fmean(float(row[column]) for row in rows)
