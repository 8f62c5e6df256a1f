"""Times as numbers."""

import json

import pytest

from cvqe.errors import UsageError
from export.timing_statistics import (
    InferenceTimes,
    LayerTime,
    nearest_rank,
    profile_rows,
    report_of,
    statistics_of,
    times_to_json,
)


def test_statistics_of_a_hundred_times_are_known():
    told = statistics_of([float(each) for each in range(100, 0, -1)])
    assert (told.min, told.max, told.mean, told.median) == (1.0, 100.0, 50.5, 50.5)
    assert (told.p90, told.p95, told.p99) == (90.0, 95.0, 99.0)


def test_a_single_time_is_every_statistic():
    told = statistics_of([2.5])
    assert {told.min, told.max, told.mean, told.median, told.p90, told.p95, told.p99} == {2.5}


@pytest.mark.parametrize("percent, expected", [(0, 1.0), (33, 1.0), (34, 2.0), (99, 3.0), (100, 3.0)])
def test_a_quantile_is_a_time_that_was_measured(percent, expected):
    assert nearest_rank([1.0, 2.0, 3.0], percent) == expected


def test_no_time_is_refused():
    with pytest.raises(UsageError, match="no inference was timed"):
        statistics_of([])


TIMES = [InferenceTimes(0.0, 1.0, 1.5, 4.0, 4.25, 5.0), InferenceTimes(1.0, 2.0, 4.0, 6.0, 6.0, 6.5)]


def test_latency_is_the_sum_of_the_parts_without_waits_and_throughput_the_hosts():
    report = report_of(TIMES, wall_s=0.5)
    assert report.latency.max == 1.0 + 2.5 + 0.75
    assert report.throughput == 4.0
    assert (report.compute.min, report.h2d.mean, report.d2h.min) == (2.0, 1.0, 0.5)
    assert "GPU compute: min 2.000, max 2.500, mean 2.250" in str(report)


def test_the_file_of_times_has_trtexecs_names():
    told = json.loads(times_to_json(TIMES))
    assert told[0] == {
        "startH2dMs": 0.0,
        "endH2dMs": 1.0,
        "startComputeMs": 1.5,
        "endComputeMs": 4.0,
        "startD2hMs": 4.25,
        "endD2hMs": 5.0,
        "h2dMs": 1.0,
        "computeMs": 2.5,
        "d2hMs": 0.75,
        "latencyMs": 4.25,
    }
    assert len(told) == 2


def test_layers_share_the_whole_time():
    rows = profile_rows([LayerTime("conv", (1.0, 3.0)), LayerTime("fused away", ()), LayerTime("dcn", (4.0, 8.0))], 2)
    assert rows[0] == {"count": 2}
    assert rows[1] == {"name": "conv", "timeMs": 4.0, "averageMs": 2.0, "medianMs": 2.0, "percentage": 25.0}
    assert [row["name"] for row in rows[1:]] == ["conv", "dcn"]
    assert profile_rows([], 0) == [{"count": 0}]
