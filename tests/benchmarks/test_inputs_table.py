"""Every input that docs/inputs.md speaks of has tests that are there."""

import ast
from functools import cache

import pytest

from benchmarks.inputs_table import rows
from benchmarks.report import ROOT

ROWS = rows()


@cache
def names_in(path: str) -> set[str]:
    """Name the tests of a file without importing it."""
    parsed = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in parsed.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.input)
def test_every_input_is_shown_by_tests_that_exist(row):
    assert row.tests
    named = [test.split("::") for test in row.tests]
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def test_no_input_is_told_twice():
    assert len({row.input for row in ROWS}) == len(ROWS)


def test_every_test_of_an_input_is_named():
    path = "tests/runtime/test_inputs.py"
    assert names_in(path) == {test.split("::")[1] for row in ROWS for test in row.tests if test.startswith(path)}
