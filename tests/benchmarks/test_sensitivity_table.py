"""The table of exceptions, from sweeps made up here."""

import pytest

from benchmarks import report, sensitivity_table
from benchmarks.mganet_tables import NOT_MEASURED
from benchmarks.sensitivity_table import NETWORKS, TABLES


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(sensitivity_table, "RESULTS", tmp_path)
    return tmp_path


def test_each_role_shows_the_most_that_one_of_its_convolutions_loses(results):
    roles = {"live": ["offset", "offset", ""], "tgafnet_qp37": ["global_sum", ""], "mganet_slim_ai_qp37": ["gate"]}
    for network in NETWORKS:
        rows = [
            {"role": role, "mean_loss_db": 0.01 * number, "worst_loss_db": 0.02 * number}
            for number, role in enumerate(roles[network], 1)
        ]
        report.write_rows(results / f"int8_sensitivity_{network}.csv", rows)
    lines = TABLES["int8_exceptions"]().splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == ["offset", "global-sum", "gate", "", ""]
    assert lines[2].endswith("| live | 2 | 0.020 | 0.040 |")
    assert lines[-2].endswith("| live | 1 | 0.030 | 0.060 |")


def test_what_was_not_swept_is_said(results):
    assert TABLES["int8_exceptions"]() == NOT_MEASURED
