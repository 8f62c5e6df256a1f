"""The table of what stays in high precision, and what rounding it alone would cost, from calibration/sensitivity.py."""

import csv
from collections.abc import Callable

from benchmarks import report
from benchmarks.mganet_tables import Row, markdown, once_measured
from calibration.placement import ROLES

RESULTS = report.ROOT / "benchmarks" / "results"
NETWORKS = {"live": "live", "tgafnet_qp37": "tgafnet", "mganet_slim_ai_qp37": "mganet slim"}  # by the swept file's name
ROUNDED = "nothing speaks against it: rounded"


@once_measured
def exceptions() -> str:
    """Return a line for each role and network that has it: how many convolutions, and the most that one loses alone."""
    swept = {title: rows_of(name) for name, title in NETWORKS.items()}
    lines = []
    for role, reason in {**{name: each.value for name, each in ROLES.items()}, "": ROUNDED}.items():
        for title, rows in swept.items():
            own = [row for row in rows if row["role"].replace("_", "-") == role]
            if own:
                lines.append(
                    [role, reason, title, str(len(own)), most(own, "mean_loss_db"), most(own, "worst_loss_db")]
                )
    heads = ["role", "why", "network", "convolutions", "most in the mean, dB", "most on a clip, dB"]
    return markdown(heads, lines)


def rows_of(name: str) -> list[Row]:
    """Read the sweep of one network."""
    with (RESULTS / f"int8_sensitivity_{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def most(rows: list[Row], column: str) -> str:
    """Return the largest number of a column."""
    return f"{max(float(row[column]) for row in rows):.3f}"


TABLES: dict[str, Callable[[], str]] = {"int8_exceptions": exceptions}
