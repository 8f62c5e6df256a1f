import pytest

from benchmarks import report, table4_tables
from benchmarks.make_tables import filled
from benchmarks.mganet_tables import NOT_MEASURED
from benchmarks.networks_table import ROWS
from benchmarks.table4_tables import PUBLISHED, SIZES, ratios, table4

HERE = {"machine": "a machine", "versions": "x=1", "git_sha": "abc", "date": "2026-01-31"}


def row(label, size, way, frames_per_s, mb=1234, why=""):
    width, height = size.split("x")
    counts = {"parameters": 1234567, "macs_416x240": 12_345_678_900, "thop_macs_416x240": 23_000_000_000}
    computed_by = "torch eager fp32" if way == "eager" else "openvino bf16"
    what = {"label": label, "network": label, **counts, "width": width, "height": height, "way": way}
    figures = {"computed_by": computed_by, "frames_per_s": frames_per_s, "peak_memory_mb": mb, "not_measured": why}
    return {**what, **figures, **HERE}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(table4_tables, "RESULTS", tmp_path)
    return tmp_path / "table4.csv"


def test_without_results_the_tables_say_so(results):
    assert table4() == ratios() == NOT_MEASURED


def test_torch_stands_before_ours_and_their_ratio_behind(results):
    rows = [row("rfda", size, way, {"eager": 2, "best": 9}[way]) for size in SIZES for way in ("eager", "best")]
    report.write_rows(results, [*rows, row("live_int8", "416x240", "best", 123.4), row("mine", "416x240", "best", 5)])
    lines = table4().splitlines()
    assert lines[2].startswith("| `rfda` | 1,234,567 | 12.35 | 23.00 | 2 / 9 (4.5x) | 2 / 9 (4.5x) | 2 / 9 (4.5x) |")
    assert lines[2].endswith("| 1,234 / 1,234 |")
    assert lines[3] == "| `live_int8` | 1,234,567 | 12.35 | 23.00 | – / 123 | – / – | – / – | – / – |"
    assert "mine" not in table4()
    assert "a machine; commit abc, 2026-01-31; x=1." in lines[-1]


def test_what_is_missing_is_named(results):
    report.write_rows(results, [row("rfda", "416x240", "eager", "", "", "took longer than 9 s")])
    note = table4().splitlines()[-1]
    assert "`rfda` 416x240 eager: took longer than 9 s." in note
    assert "rfda," not in note.partition(".")[0]
    for name in ({each.name for each in ROWS} - {"rfda"}) | {"832x480", "1280x720"}:
        assert name in note.partition(".")[0]


def test_nothing_is_missing_where_all_was_measured(results):
    labels = [each.name for each in ROWS]
    rows = [row(label, size, way, 2) for label in labels for size in SIZES for way in ("eager", "best")]
    report.write_rows(results, rows)
    assert "Not measured" not in table4()


def test_ratios_are_to_tgafnet_of_the_same_size_and_way(results):
    speeds = {"tgafnet": 2, "stdf_r3l": 3}
    rows = [
        row(label, size, way, speed * (10 if way == "best" and label == "stdf_r3l" else 1))
        for label, speed in speeds.items()
        for size in SIZES
        for way in ("eager", "best")
    ]
    report.write_rows(results, rows)
    lines = ratios().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {label}" for label in PUBLISHED]
    assert lines[2] == ("| stdf_r3l | 83.5 / 23.0 | 1.30 | 1.50 | 15.00 | 1.58 | 1.50 | 15.00 | 1.74 | 1.50 | 15.00 |")
    assert lines[3] == "| rfda | 56.8 / – | 1.13 | – | – | 1.40 | – | – | 1.54 | – | – |"
    assert lines[5].count(" 1.00 ") == 9


def test_pages_are_filled_with_them(results):
    report.write_rows(results, [row("rfda", "416x240", "best", 5)])
    page = filled("<!-- table table4_ratios -->\n<!-- end -->")
    assert "| rfda | 56.8 / 23.0 |" in page
