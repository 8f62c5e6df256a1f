"""What is written from an output folder's measurements: CSV files and the page of tables."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from cvqe.whole_file import write_whole
from training.evaluation.bd_results import bd_results
from training.evaluation.csv_rows import bd_row, frame_rows, result_row, write_csv
from training.evaluation.report_page import report_page
from training.evaluation.results import Result, join
from training.evaluation.store import Store

PAGE = "tables.md"


def load_results(folder: Path) -> tuple[list[Result], int]:
    """Return the results of a folder, of this run and of earlier ones, and how many measurements have no partner.

    Those were made from files that have changed since, or the decoded video beside them is not measured yet.
    """
    results, alone = join(Store(folder).all())
    return results, len(alone)


def write_reports(results: Sequence[Result], folder: Path) -> Path | None:
    """Write results.csv, frames.csv, bd_rate.csv and tables.md; return the page, None where there is no result."""
    if not results:
        return None
    bd = bd_results(results)
    write_csv(folder / "results.csv", list(map(result_row, results)))
    write_csv(folder / "frames.csv", list(chain.from_iterable(map(frame_rows, results))))
    write_csv(folder / "bd_rate.csv", list(map(bd_row, bd)))
    write_whole(folder / PAGE, report_page(results, bd).encode())
    return folder / PAGE
