"""Tables against lines worked out by hand."""

from tests.training.evaluation.examples import case_facts, measurement, result
from training.evaluation import markdown_tables as tables
from training.evaluation.bd_results import BdResult
from training.evaluation.report_page import report_page
from training.evaluation.results import Result
from training.evaluation.subject import DECODED, Facts

LARGE = {"width": 1280, "height": 720, "gt_class": "B"}
WAVE = [30.0, 32.0, 30.0, 32.0, 30.0]  # two peaks, 2 dB high


def lines(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [rows[0], *rows[2:]]


def peer(case, before, after):
    return Result(measurement(case, Facts(DECODED), before), measurement(case, Facts("a filter", "FFmpeg 8"), after))


def test_gains_are_listed_by_clip_class_and_in_all():
    small, large = case_facts("a"), case_facts("b", **LARGE)
    results = [
        peer(small, [30.0], [29.9]),
        result(small, "net", [30.0], [30.5]),
        result(large, "net", [32.0], [32.3]),
    ]
    assert lines(tables.gains_table(results)) == [
        ["clip", "class", "size", "frames", "decoded, dB", "net", "a filter"],
        ["a", "A", "D", "1", "30.00", "+0.500 / +100", "-0.100 / -20"],
        ["b", "B", "E", "1", "32.00", "+0.300 / +60", ""],
        ["*class A*", "", "", "", "30.00", "+0.500 / +100", "-0.100 / -20"],
        ["*class B*", "", "", "", "32.00", "+0.300 / +60", ""],
        ["*size D*", "", "", "", "30.00", "+0.500 / +100", "-0.100 / -20"],
        ["*size E*", "", "", "", "32.00", "+0.300 / +60", ""],
        ["**mean**", "", "", "", "31.00", "+0.400 / +80", "-0.100 / -20 (1 of 2 clips)"],
    ]


def test_one_class_needs_no_line_of_its_own_and_zero_has_no_minus():
    table = tables.gains_table([result(case_facts(), "net", [30.0], [29.99999])])
    assert lines(table)[1:] == [
        ["a", "A", "D", "1", "30.00", "+0.000 / +0"],
        ["**mean**", "", "", "", "30.00", "+0.000 / +0"],
    ]


def test_means_come_by_configuration_and_qp_with_the_worst_clip():
    results = [
        result(case_facts(clip, qp), "net", [30.0], [30.0 + gain])
        for clip, qp, gain in [("a", 37, 0.5), ("b", 37, -0.1), ("a", 0, 0.2), ("b", 0, 0.2)]
    ]
    assert lines(tables.means_table(results, tables.gain_and_worst_cell)) == [
        ["coding", "clips", "net"],
        ["ldp, QP 0", "2", "+0.200 / +40 (worst +0.200)"],
        ["ldp, QP 37", "2", "+0.200 / +40 (worst -0.100)"],
    ]


def test_pvd_is_compared_on_the_clips_where_all_have_one():
    half = [value / 2 for value in WAVE]
    results = [
        result(case_facts("a"), "net", WAVE, half),
        result(case_facts("b"), "net", WAVE, [30.0, 31.0, 32.0, 33.0, 34.0]),
    ]
    (line,) = lines(tables.stability_table(results))[1:]
    assert line == ["ldp, QP 37", "2 (1)", "2.00 / 0.98", "1.00 / 0.95"]
    assert lines(tables.stability_table(results[1:]))[1][2:] == ["n/a / 0.98", "n/a / 1.41"]


def test_bd_rates_and_their_mean_over_the_clips_that_have_one():
    column = (False, "net")
    found = [
        BdResult("a", "ldp", column, None, (22,), -4.0, -5.0),
        BdResult("b", "ldp", column, None, (22,), None, None),
    ]
    assert [line[2] for line in lines(tables.bd_table(found))[1:]] == ["-4.00 (-5.00)", "n/a", "-4.00 (-5.00)"]


def test_times_are_the_median_of_a_size():
    results = [
        result(case_facts(clip), "net", [30.0], [30.0], ms=[ms])
        for clip, ms in zip("abc", (9.0, 1.0, 5.0), strict=True)
    ]
    assert lines(tables.time_table(results)) == [["size", "net"], ["416x240", "5.0"]]
    (filtered,) = [peer(case_facts(), [30.0], [30.0])]
    assert filtered.after.ms_per_frame == 20.0


def test_the_page_keeps_first_frames_apart_and_says_so():
    whole = result(case_facts(), "net", [30.0], [30.5])
    first = result(case_facts(first_frames=8), "net", [30.0], [31.0])
    page = report_page([whole, first], [])
    before, after = page.split("# First 8 frames")
    assert "+0.500 / +100" in before and "+1.000" not in before
    assert "**Only the first 8 frames of every clip were measured**" in after and "+1.000 / +200" in after
    assert page.endswith("a machine, 2 cores; commit abc1234, 2026-01-31.\n")
    assert "VMAF" not in page


def test_vmaf_has_a_table_where_it_was_measured():
    case = case_facts()
    before = measurement(case, Facts(DECODED), [30.0], vmaf=[70.0], vmaf_neg=[65.0])
    after = measurement(case, Facts("net"), [30.5], vmaf=[73.5], vmaf_neg=[66.0])
    page = report_page([Result(before, after)], [])
    assert "| ldp, QP 37 | 1 | +3.50 / +1.00 |" in page
