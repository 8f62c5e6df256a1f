"""What a training tells: one line a interval, a CSV, and TensorBoard where that is installed."""

import csv
import logging
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from training.run_state import Files
from training.supervision import Terms

COLUMNS = (
    "step",
    "loss",
    "gain_db",
    "alignment",
    "distillation",
    "rate",
    "ms_per_step",
    "waiting_share",
    "elapsed_s",
    "validation_db",
)
log = logging.getLogger(__name__)


class Progress:
    """Means over the steps since the last line; use as a context manager."""

    def __init__(self, files: Files, n_steps: int, first_step: int, *, is_shown: bool) -> None:
        self.files, self.n_steps, self.is_shown = files, n_steps, is_shown
        self._rows = _rows_before(files.log, first_step) if is_shown else []
        self._earlier_s = float(self._rows[-1]["elapsed_s"]) if self._rows else 0.0
        self._start = self._since = time.monotonic()
        self._terms: list[Terms] = []
        self._waited_s = self._waited_before_s = 0.0
        self._board = _board(files.board, first_step) if is_shown else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()

    def add(self, terms: Terms, waited_s: float) -> None:
        """Take in one step's losses, and what was waited for data since the start."""
        self._terms.append(terms)
        self._waited_s = waited_s

    def log(self, step: int, rate: float) -> None:
        """Write the interval's line and row, and start the next interval."""
        means = {name: fmean(float(terms[name]) for terms in self._terms) for name in self._terms[0]}
        now, n_steps = time.monotonic(), len(self._terms)
        spent_s = max(now - self._since, 1e-9)
        row = {
            "step": step,
            "loss": f"{means['picture']:.6f}",
            "gain_db": f"{gain_db(means):+.4f}",
            **{name: f"{means[name]:.5f}" if name in means else "" for name in ("alignment", "distillation")},
            "rate": f"{rate:.2e}",
            "ms_per_step": f"{1000 * spent_s / n_steps:.1f}",
            "waiting_share": f"{(self._waited_s - self._waited_before_s) / spent_s:.3f}",
            "elapsed_s": f"{self._earlier_s + now - self._start:.0f}",
            "validation_db": "",
        }
        self._since, self._waited_before_s = now, self._waited_s
        self._terms.clear()
        if self.is_shown:
            self._write(row)

    def validated(self, step: int, gains: Mapping[int, float]) -> None:
        """Add the held-back clips' gain, dB for each QP, to the line of this step."""
        text = " ".join(f"{qp}:{gain:+.3f}" for qp, gain in gains.items())
        print(f"  held back: {text} dB", file=sys.stderr)
        if self._rows and self._rows[-1]["step"] == str(step):
            self._rows[-1]["validation_db"] = text
            self._rewrite()
        if self._board is not None:
            for qp, gain in gains.items():
                self._board.add_scalar(f"validation_db/qp{qp}", gain, step)

    def _write(self, row: Mapping[str, Any]) -> None:
        self._rows.append({name: str(value) for name, value in row.items()})
        self._rewrite()
        left_s = (self.n_steps - int(row["step"])) * float(row["ms_per_step"]) / 1000
        print(
            f"step {row['step']}/{self.n_steps}  loss {row['loss']}  gain {row['gain_db']} dB  "
            f"{row['ms_per_step']} ms a step, {float(row['waiting_share']):.0%} of it waiting for data  "
            f"{left_s / 60:.0f} min left",
            file=sys.stderr,
        )
        if self._board is not None:
            for name in ("loss", "gain_db", "alignment", "distillation", "rate", "ms_per_step", "waiting_share"):
                if row[name] != "":
                    self._board.add_scalar(name, float(row[name]), int(row["step"]))

    def _rewrite(self) -> None:
        # whole, because a resumed run drops the lines of steps that it takes again
        unfinished = self.files.log.with_suffix(".csv.tmp")
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows)
        unfinished.replace(self.files.log)


def gain_db(means: Mapping[str, float]) -> float:
    """Return the batches' gain over their decoded input in dB, whatever the loss; 0 for batches without an error."""
    return 10 * math.log10(means["decoded"] / means["error"]) if min(means["error"], means["decoded"]) > 0 else 0.0


def _rows_before(log_file: Path, first_step: int) -> list[dict[str, str]]:
    """Return a log's rows up to a step: those that a resumed run keeps."""
    if first_step == 0 or not log_file.exists():
        return []
    with log_file.open(newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) <= first_step]


def _board(folder: Path, first_step: int) -> Any | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: the CSV holds the same figures
        log.info("tensorboard is not installed; the log is the .csv alone.")
        return None
    return SummaryWriter(str(folder), purge_step=first_step + 1)
