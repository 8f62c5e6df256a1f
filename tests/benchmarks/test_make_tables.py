"""The tables in the pages are those of the committed results."""

import pytest

from benchmarks.make_tables import PAGES, TABLES, filled
from benchmarks.report import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_pages_hold_the_tables_of_the_committed_results(name):
    page = (ROOT / name).read_text()
    assert "<!-- table " in page
    assert filled(page) == page


def test_no_table_is_empty():
    for table in TABLES.values():
        assert table().count("\n") >= 3
