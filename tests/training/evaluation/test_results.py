"""Results put together from measurements, and their rows."""

import csv

import pytest

from tests.training.evaluation.examples import case_facts, measurement, result
from training.evaluation.bd_results import bd_results
from training.evaluation.csv_rows import bd_row, frame_rows, result_row, write_csv
from training.evaluation.results import join
from training.evaluation.subject import DECODED, Facts

DECODED_FACTS = Facts(DECODED)


def test_a_subject_stands_beside_the_decoded_video_of_the_same_files_and_frames():
    case, eight = case_facts(), case_facts(first_frames=8)
    changed = case_facts("b", coded_sha256="another")
    found = [
        measurement(case, DECODED_FACTS, [30.0]),
        measurement(eight, DECODED_FACTS, [31.0]),
        measurement(case_facts("b"), DECODED_FACTS, [29.0]),
        measurement(case, Facts("net"), [32.0]),
        measurement(eight, Facts("net"), [34.0]),
        measurement(changed, Facts("net"), [35.0]),
    ]
    results, alone = join(found)
    assert [(each.case.first_frames, each.delta_psnr_db) for each in results] == [(None, 2.0), (8, 3.0)]
    assert alone == [found[-1]]


def test_a_row_holds_means_over_frames_and_what_is_not_defined_stays_empty():
    row = result_row(result(case_facts(), "net", [30.0, 32.0], [31.0, 32.5]))
    assert (row["psnr_db_decoded"], row["psnr_db"], row["delta_psnr_db"]) == ("31.0000", "31.7500", "0.7500")
    assert (row["delta_ssim"], row["sd_db_decoded"], row["sd_db"]) == ("0.015000", "1.0000", "0.7500")
    assert (row["pvd_db"], row["vmaf"], row["first_frames"]) == ("", "", "")
    assert (row["ms_per_frame"], row["size_class"], row["machine"]) == ("20.000", "D", "a machine, 2 cores")


def test_there_is_a_line_a_frame():
    rows = frame_rows(result(case_facts(first_frames=2), "net", [30.0, 32.0], [31.0, 32.5], ms=[]))
    assert [(row["frame"], row["psnr_db_decoded"], row["psnr_db"], row["ms"]) for row in rows] == [
        (0, "30.0000", "31.0000", ""),
        (1, "32.0000", "32.5000", ""),
    ]


def test_bd_rate_takes_the_qps_of_a_clip_together():
    # a sixth of a QP step of 6 is a doubling of the rate: 1 dB more on a line of 1 dB a QP saves 2^(-1/6)
    rows = [result(case_facts(clip, qp), "net", [60.0 - qp], [61.0 - qp]) for qp in (22, 27, 32, 37) for clip in "ab"]
    found = bd_results([*rows, result(case_facts("c", None), "net", [30.0], [31.0])])
    assert [(each.clip, each.subject, each.qps) for each in found] == [
        ("a", "net", (22, 27, 32, 37)),
        ("b", "net", (22, 27, 32, 37)),
    ]
    assert found[0].cubic_pct == pytest.approx(100 * (2 ** (-1 / 6) - 1))
    assert bd_row(found[0])["bd_rate_pchip_pct"] == "-10.910"
    (few,) = bd_results(rows[:2:2])
    assert (few.cubic_pct, bd_row(few)["bd_rate_cubic_pct"]) == (None, "")


def test_csv_is_written_whole_and_nothing_without_rows(tmp_path):
    write_csv(tmp_path / "none.csv", [])
    write_csv(tmp_path / "some.csv", [{"a": 1, "b": "x, y"}])
    assert [path.name for path in tmp_path.iterdir()] == ["some.csv"]
    assert list(csv.DictReader((tmp_path / "some.csv").open())) == [{"a": "1", "b": "x, y"}]
