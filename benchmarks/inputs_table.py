"""The table of docs/inputs.md, of what tests/inputs.toml says."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from benchmarks import report

SOURCE = report.ROOT / "tests" / "inputs.toml"


@dataclass(frozen=True)
class Row:
    """An input, what happens with it, and the tests that show it, each as path::name from the root."""

    input: str
    happens: str
    exit_code: str
    tests: Sequence[str]


def rows() -> list[Row]:
    """Read the table's source."""
    return [Row(**row) for row in tomllib.loads(SOURCE.read_text(encoding="utf-8"))["row"]]


def inputs_table() -> str:
    """Return every input with what happens and where that is shown."""
    lines = ["| input | what happens | exit code | shown by |", "|---|---|---|---|"]
    lines += [f"| {row.input} | {row.happens} | {row.exit_code} | {_linked(row.tests)} |" for row in rows()]
    return "\n".join(lines)


def _linked(tests: Sequence[str]) -> str:
    """Name tests, those of one file behind a link to it."""
    by_file: dict[str, list[str]] = {}
    for path, _, name in (test.partition("::") for test in tests):
        by_file.setdefault(path, []).append(f"`{name}`")
    return "; ".join(f"[{PurePosixPath(path).stem}](../{path}): {', '.join(names)}" for path, names in by_file.items())


TABLES = {"inputs": inputs_table}
